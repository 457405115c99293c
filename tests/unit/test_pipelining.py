"""Overlap with bounded memory, and errors that arrive where they belong."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator

import pytest

from fullbay_assets.document_spool import DocumentSpool
from resources.pipelining import Writers, fewer_collections, prefetched


def test_items_come_in_order_and_at_most_so_many_ahead() -> None:
    produced: list[int] = []

    def source() -> Iterator[int]:
        for number in range(20):
            produced.append(number)
            yield number

    taken = []
    for number in prefetched(source(), depth=2):
        taken.append(number)
        time.sleep(0.001)
        assert len(produced) - len(taken) <= 4
    assert taken == list(range(20))


def test_an_error_of_the_source_reaches_the_consumer_after_what_came_before() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise ValueError("cut")

    items = prefetched(source())
    assert next(items) == 1
    with pytest.raises(ValueError, match="cut"):
        next(items)


def test_a_consumer_that_stops_early_stops_the_reader() -> None:
    """A reader left behind would go on fetching from the source after the run has failed."""
    before = threading.active_count()
    for _ in prefetched(iter(range(1_000_000))):
        break
    deadline = time.monotonic() + 2
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


def test_each_connection_is_used_by_one_thread_at_a_time() -> None:
    using: set[str] = set()
    lock = threading.Lock()
    done: list[str] = []

    def write(connection: str) -> None:
        with lock:
            assert connection not in using
            using.add(connection)
        time.sleep(0.002)
        with lock:
            using.remove(connection)
            done.append(connection)

    with Writers(["a", "b"]) as writers:
        for _ in range(30):
            writers.submit(write)
    assert len(done) == 30
    assert set(done) == {"a", "b"}


def test_the_first_error_of_a_writer_is_raised() -> None:
    def fail(_: str) -> None:
        raise RuntimeError("refused")

    with pytest.raises(RuntimeError, match="refused"), Writers(["a"]) as writers:
        writers.submit(fail)
    writers = Writers(["a"])
    writers.submit(fail)
    with pytest.raises(RuntimeError, match="refused"):
        writers.submit(lambda _: None)


def test_the_collector_is_as_before_afterwards() -> None:
    import gc

    before = gc.get_threshold()
    with fewer_collections():
        assert gc.get_threshold() != before
    assert gc.get_threshold() == before


def test_threads_hand_the_interpreter_over_as_before_when_the_writers_are_done() -> None:
    before = sys.getswitchinterval()
    with Writers(["a"]):
        assert sys.getswitchinterval() < before
    assert sys.getswitchinterval() == before


def test_the_spool_gives_back_what_it_holds_and_nothing_else() -> None:
    spool = DocumentSpool(most_bytes=10)
    first, second = "ab" * 32, "cd" * 32
    spool.put(first, b"12345678")
    spool.put(second, b"too much")
    assert spool.get(first) == b"12345678"
    assert spool.get(second) is None
    spool.close()
