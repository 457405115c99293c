"""A transaction pooler between the tests and the server: one of our own, and PgBouncer when it is installed.

Ours speaks the wire protocol, simple and extended: a client gets a server connection with its first message, and loses
it when the server says ReadyForQuery outside of a transaction. It is meaner than any real one: the next client gets the
connection that another one used last, and nothing is cleaned between them (no DISCARD ALL, no reset). The client with
whom a server connection is opened gives the password; those after it are let in unasked, which is for tests only.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

LOCALHOST = "127.0.0.1"
_SSL_REQUEST, _GSS_REQUEST, _CANCEL_REQUEST = 80877103, 80877104, 80877102
_ASK_READY = frozenset(b"QSF")
"""Client messages that the server ends its answer to with ReadyForQuery: Query, Sync, FunctionCall."""


@dataclass
class _Server:
    """One server connection, and the client that used it last."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    parameters: bytes = b""
    last_client: int = 0


@dataclass
class _Pool:
    free: list[_Server] = field(default_factory=list)
    opened: int = 0
    waiting: asyncio.Condition = field(default_factory=asyncio.Condition)


class TransactionPooler:
    """Our pooler, in a thread of this process; `handed_on` counts how often a client got another one's connection."""

    name = "in-process"

    def __init__(self, server_port: int, size: int = 1) -> None:
        self._server_port, self._size = server_port, size
        self._pools: dict[bytes, _Pool] = {}
        self._clients = 0
        self.handed_on = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._listener = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._client, LOCALHOST, 0), self._loop
        ).result(10)
        self.port: int = self._listener.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Close every connection, clients' and servers'."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _stop(self) -> None:
        self._listener.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for pool in self._pools.values():
            for server in pool.free:
                server.writer.close()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        number = self._clients
        try:
            startup = await self._startup(reader, writer)
            if startup is not None:
                await self._serve(number, startup, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _startup(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes | None:
        while True:
            head = await reader.readexactly(8)
            length, code = struct.unpack("!II", head)
            body = await reader.readexactly(length - 8)
            if code in (_SSL_REQUEST, _GSS_REQUEST):
                writer.write(b"N")
            elif code == _CANCEL_REQUEST:
                return None
            else:
                return head + body

    async def _serve(
        self, number: int, startup: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        pool = self._pools.setdefault(_identity(startup), _Pool())
        server = await self._take(pool, number)
        if server is None:
            server = await self._connect(pool, startup, reader, writer)
            if server is None:
                return
        else:
            # AuthenticationOk, the settings as they were at the beginning, BackendKeyData, ReadyForQuery.
            writer.write(b"R\0\0\0\x08\0\0\0\0" + server.parameters + b"Z\0\0\0\x05I")
        server.last_client = number
        await self._give_back(pool, server)
        while await self._transaction(pool, number, reader, writer):
            pass

    async def _transaction(
        self, pool: _Pool, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Pass one transaction on, from the client's first message to ReadyForQuery outside of a transaction."""
        message = await _message(reader)
        if message[:1] == b"X":
            return False
        server = await self._take(pool, number, open_one=False)
        assert server is not None
        if server.last_client != number:
            self.handed_on += 1
        server.last_client = number
        owed = 0
        clean = False
        incoming: asyncio.Task[bytes] | None = None
        answer = asyncio.ensure_future(_message(server.reader))
        try:
            while True:
                if message:
                    server.writer.write(message)
                    owed += message[0] in _ASK_READY
                    unfinished = message[0] not in _ASK_READY
                    message = b""
                if incoming is None:
                    incoming = asyncio.ensure_future(_message(reader))
                await asyncio.wait({incoming, answer}, return_when=asyncio.FIRST_COMPLETED)
                if answer.done():
                    received = answer.result()
                    writer.write(received)
                    if received[:1] == b"Z":
                        owed -= 1
                        if owed == 0 and received[5:6] == b"I" and not unfinished:
                            clean = True
                            if not incoming.done():
                                incoming.cancel()
                                with contextlib.suppress(asyncio.CancelledError):
                                    await incoming
                            break
                    answer = asyncio.ensure_future(_message(server.reader))
                if incoming.done():
                    message = incoming.result()
                    incoming = None
                    if message[:1] == b"X":
                        return False
        finally:
            if clean:
                await self._give_back(pool, server)
            else:  # the client went away in the middle: the next one may have its connection, not its transaction
                if incoming is not None:
                    incoming.cancel()
                await _roll_back(server, answer, owed)
                await self._give_back(pool, server)
        if incoming is not None and incoming.done() and not incoming.cancelled():
            raise ConnectionError("a client sent its next transaction before this one was over")
        return True

    async def _connect(
        self, pool: _Pool, startup: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> _Server | None:
        """Open a server connection for a client, who answers for the password himself."""
        server = _Server(*await asyncio.open_connection(LOCALHOST, self._server_port))
        server.writer.write(startup)
        while True:
            received = await _message(server.reader)
            writer.write(received)
            kind = received[:1]
            if kind in b"SK":
                server.parameters += received
            elif kind == b"Z":
                return server
            elif kind == b"E":
                async with pool.waiting:
                    pool.opened -= 1
                return None
            elif kind == b"R" and struct.unpack("!I", received[5:9])[0] in (3, 5, 10, 11):
                server.writer.write(await _message(reader))

    async def _take(self, pool: _Pool, number: int, *, open_one: bool = True) -> _Server | None:
        """A free connection, of another client if possible; None when there is none and one more may be opened."""
        async with pool.waiting:
            if open_one and not pool.free and pool.opened < self._size:
                pool.opened += 1
                return None
            await pool.waiting.wait_for(lambda: pool.free)
            chosen = next((server for server in pool.free if server.last_client != number), pool.free[0])
            pool.free.remove(chosen)
            return chosen

    async def _give_back(self, pool: _Pool, server: _Server) -> None:
        async with pool.waiting:
            pool.free.append(server)
            pool.waiting.notify_all()


async def _message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(5)
    return head + await reader.readexactly(struct.unpack("!I", head[1:])[0] - 4)


async def _roll_back(server: _Server, answer: asyncio.Future[bytes], owed: int) -> None:
    """End whatever the server was doing: CopyFail (ignored outside of COPY), Sync, ROLLBACK."""
    server.writer.write(b"f\0\0\0\x05\0" + b"S\0\0\0\x04" + b"Q\0\0\0\x0drollback\0")
    owed += 2
    while owed:
        owed -= (await answer)[:1] == b"Z"
        if owed:
            answer = asyncio.ensure_future(_message(server.reader))


def _identity(startup: bytes) -> bytes:
    """User and database of a start-up message."""
    words = startup[8:].split(b"\0")
    named = dict(zip(words[::2], words[1::2], strict=False))
    return named.get(b"user", b"") + b"@" + named.get(b"database", b"")


def pgbouncer() -> str | None:
    """The path of PgBouncer, or None."""
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


class PgBouncer:
    """PgBouncer in transaction mode with one server connection for each user and database."""

    name = "PgBouncer"

    def __init__(self, folder: Path, server_port: int, passwords: dict[str, str]) -> None:
        with socket.create_server((LOCALHOST, 0)) as probe:
            self.port: int = probe.getsockname()[1]
        users = "".join(f'"{user}" "{password}"\n' for user, password in passwords.items())
        (folder / "users.txt").write_text(users)
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host={LOCALHOST} port={server_port}\n[pgbouncer]\n"
            f"listen_addr = {LOCALHOST}\nlisten_port = {self.port}\nunix_socket_dir =\n"
            f"auth_type = scram-sha-256\nauth_file = {folder / 'users.txt'}\npool_mode = transaction\n"
            "default_pool_size = 1\nmax_client_conn = 100\nignore_startup_parameters = extra_float_digits\n"
            "query_wait_timeout = 20\n"
        )
        command = [pgbouncer() or "pgbouncer", str(folder / "pgbouncer.ini")]
        if os.geteuid() == 0:  # it refuses to be root
            _open_to_all(folder)
            command[1:1] = ["-u", "nobody"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._wait()

    def _wait(self) -> None:
        for _ in range(100):
            if self._process.poll() is not None:
                raise RuntimeError(f"PgBouncer ended with status {self._process.returncode}")
            with contextlib.suppress(OSError), socket.create_connection((LOCALHOST, self.port), 1):
                return
            time.sleep(0.1)
        raise RuntimeError("PgBouncer does not listen")

    def close(self) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.wait(10)


def _open_to_all(folder: Path) -> None:
    # nobody must read what root wrote; these folders are the test's own, below the system's temporary folder.
    for path in (folder, *folder.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o644)


class WireClient:
    """A client of our own pooler that says what it wants in messages of the extended protocol, as most drivers do."""

    def __init__(self, port: int, user: str, database: str) -> None:
        self._socket = socket.create_connection((LOCALHOST, port), 10)
        words = b"".join(word.encode() + b"\0" for word in ("user", user, "database", database))
        startup = struct.pack("!I", 196608) + words + b"\0"
        self._socket.sendall(struct.pack("!I", len(startup) + 4) + startup)
        self._answer()

    def simple(self, text: str) -> list[str]:
        """Send one Query; the first column of its rows."""
        self._send(b"Q", text.encode() + b"\0")
        return self._answer()

    def prepare(self, name: str, text: str) -> None:
        """Parse a named statement without parameters."""
        self._send(b"P", name.encode() + b"\0" + text.encode() + b"\0\0\0")
        self._send(b"S", b"")
        self._answer()

    def execute(self, name: str) -> list[str]:
        """Bind a named statement, whoever has parsed it, and execute it; the first column of its rows."""
        self._send(b"B", b"\0" + name.encode() + b"\0" + bytes(6))
        self._send(b"E", bytes(5))
        self._send(b"S", b"")
        return self._answer()

    def close(self) -> None:
        self._socket.close()

    def _send(self, kind: bytes, body: bytes) -> None:
        self._socket.sendall(kind + struct.pack("!I", len(body) + 4) + body)

    def _read(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            part = self._socket.recv(size - len(found))
            if not part:
                raise ConnectionError("the pooler has closed the connection")
            found += part
        return found

    def _answer(self) -> list[str]:
        values, error = [], None
        while True:
            kind, length = struct.unpack("!cI", self._read(5))
            body = self._read(length - 4)
            if kind == b"D":
                (size,) = struct.unpack("!i", body[2:6])
                values.append("" if size < 0 else body[6 : 6 + size].decode())
            elif kind == b"E":
                error = body.decode()
            elif kind == b"Z":
                if error:
                    raise RuntimeError(error)
                return values


@contextlib.contextmanager
def closing_pooler(pooler: TransactionPooler | PgBouncer) -> Iterator[TransactionPooler | PgBouncer]:
    """Close it at the end of the block."""
    try:
        yield pooler
    finally:
        pooler.close()
