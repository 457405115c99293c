"""Overlapping reading, computing and writing with bounded memory.

A load waits on three things in turn: the source, our own CPU, and Postgres. The two tools here let them wait at the
same time: `prefetched` reads ahead in a thread, `Writers` runs each batch's transaction in one of a few threads with a
connection of its own. psycopg2 gives up the interpreter lock while the server works. Nothing here knows a table.
"""

from __future__ import annotations

import gc
import queue
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")
C = TypeVar("C")


@contextmanager
def fewer_collections() -> Iterator[None]:
    """Look for reference cycles more seldom while the body runs.

    Parsed documents are hundreds of thousands of small objects without a cycle, freed by counting; searching them
    again and again took a fifth of the time of parsing.
    """
    before = gc.get_threshold()
    gc.set_threshold(200_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


_END = object()


def prefetched(items: Iterable[T], depth: int = 2) -> Iterator[T]:
    """The same items in the same order, at most `depth` of them read ahead; an error is raised where it belongs.

    When the consumer stops early the reader stops too, before the generator's `close` returns.
    """
    ready: queue.Queue[object] = queue.Queue(depth)
    stop = threading.Event()

    def put(item: object) -> bool:
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def read() -> None:
        try:
            for item in items:
                if not put(item):
                    return
            put(_END)
        except BaseException as error:  # raised again by the consumer below
            put(error)

    reader = threading.Thread(target=read, name="prefetch", daemon=True)
    reader.start()
    try:
        while True:
            item = ready.get()
            if item is _END:
                return
            if isinstance(item, BaseException):
                raise item
            yield item  # type: ignore[misc]
    finally:
        stop.set()
        reader.join()


HAND_OVER_SECONDS = 0.0005
"""How long a computing thread may keep the interpreter from one that waits for it. At Python's 5 ms a writer waited
longer between two short statements than Postgres worked on them, a third of its transaction."""


class Writers(Generic[C]):
    """A few threads, each with a connection of its own, that run `write(connection, batch)`.

    At most one batch a connection is under way and none waits, so memory is bounded by the number of connections.
    The first error is raised by the next `submit` or at the end of the `with` block; later batches are not started.
    """

    def __init__(self, connections: list[C]) -> None:
        self._idle: queue.SimpleQueue[C] = queue.SimpleQueue()
        for connection in connections:
            self._idle.put(connection)
        self._count = len(connections)
        self._threads = ThreadPoolExecutor(self._count, thread_name_prefix="writer")
        self._running: set[Future[None]] = set()
        self._hand_over_before = sys.getswitchinterval()

    def submit(self, write: Callable[[C], None]) -> None:
        """Run `write` with the next idle connection; waits while all are busy."""
        while len(self._running) >= self._count:
            done, self._running = wait(self._running, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
        self._running.add(self._threads.submit(self._run, write))

    def _run(self, write: Callable[[C], None]) -> None:
        connection = self._idle.get()
        try:
            write(connection)
        finally:
            self._idle.put(connection)

    def __enter__(self) -> Writers[C]:
        sys.setswitchinterval(HAND_OVER_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(wait=True)
        sys.setswitchinterval(self._hand_over_before)
        if error is None:
            for future in self._running:
                future.result()
