"""The failure vocabulary: classification and the retry loop."""

from __future__ import annotations

import pickle

import psycopg2
import psycopg2.errors
import pytest

from resources.failures import (
    PermanentError,
    PipelineError,
    TransientError,
    is_transient,
    permanent,
    retrying,
    transient,
)
from resources.redaction import register_secret


class Work:
    """Fails with each of the given errors in turn, then returns 'done'."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def busy(retry_after: float | None = None) -> TransientError:
    return transient("asking", found="busy", do_next="Wait.", retry_after=retry_after)


def test_an_error_says_what_was_done_found_and_is_to_do_next() -> None:
    error = permanent("reading page 2", found="HTTP 401", do_next="Check the key.")
    assert str(error) == "reading page 2: HTTP 401. Check the key."
    assert (error.doing, error.found, error.do_next) == ("reading page 2", "HTTP 401", "Check the key.")
    assert isinstance(error, PermanentError)


def test_an_error_survives_the_way_between_two_processes() -> None:
    error = pickle.loads(pickle.dumps(busy(retry_after=3.0)))
    assert isinstance(error, TransientError)
    assert error.retry_after == 3.0
    assert str(error) == "asking: busy. Wait."


def test_an_error_never_holds_a_registered_secret() -> None:
    register_secret("canary-of-failures")
    error = permanent(
        "asking with canary-of-failures", found="canary-of-failures", do_next="canary-of-failures"
    )
    assert "canary" not in str(error) + repr(error) + str(error.args)


@pytest.mark.parametrize("state", ["40001", "40P01", "55P03", "57P01", "57P02", "57P03", "53300", "08006"])
def test_what_passes_by_itself_is_transient(state: str) -> None:
    # The classes of psycopg2 get their state from the server; a stand-in carries it here.
    class Answered(psycopg2.OperationalError):
        pgcode = state

    assert is_transient(Answered("said by the server"))


@pytest.mark.parametrize("state", ["28P01", "3D000", "23505", "42P01", "57014", "53100"])
def test_what_needs_a_change_is_permanent(state: str) -> None:
    class Answered(psycopg2.OperationalError):
        pgcode = state

    assert not is_transient(Answered("said by the server"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('connection to server at "db", port 5432 failed: Connection refused', True),
        ("timeout expired", True),
        ('could not translate host name "db" to address: Temporary failure in name resolution', True),
        ("server closed the connection unexpectedly", True),
        ('connection to server failed: FATAL:  password authentication failed for user "etl"', False),
        ('connection to server failed: FATAL:  database "wharehouse" does not exist', False),
        ("connection to server failed: FATAL:  no pg_hba.conf entry for host", False),
        ("connection to server failed: FATAL:  the database system is starting up", True),
        ("connection to server failed: FATAL:  sorry, too many clients already", True),
        ("connection failed: SSL error: certificate verify failed", False),
        ("connection failed: server does not support SSL, but SSL was required", False),
    ],
)
def test_connection_errors_without_a_state_are_judged_by_the_servers_words(text: str, expected: bool) -> None:
    """psycopg2 leaves pgcode empty while connecting; a wrong password retried for 14 s helps nobody."""
    assert is_transient(psycopg2.OperationalError(text)) is expected


def test_an_error_wrapped_by_sqlalchemy_is_judged_by_the_drivers_error() -> None:
    class Wrapper(Exception):
        orig = psycopg2.OperationalError("server closed the connection unexpectedly")

    assert is_transient(Wrapper())


@pytest.mark.parametrize(
    "error", [ValueError("x"), KeyError("x"), psycopg2.InterfaceError("cursor already closed")]
)
def test_an_unknown_error_is_permanent(error: Exception) -> None:
    assert not is_transient(error)


def test_retries_wait_exactly_2_4_and_8_seconds() -> None:
    slept: list[float] = []
    work = Work(busy(), busy(), busy())
    assert retrying(work, doing="asking", sleep=slept.append) == "done"
    assert slept == [2.0, 4.0, 8.0]
    assert work.calls == 4


def test_the_fourth_failure_is_final_and_tells_the_attempts() -> None:
    slept: list[float] = []
    with pytest.raises(TransientError, match=r"asking: busy \(4 attempts\)\. Wait\."):
        retrying(Work(*(busy() for _ in range(9))), doing="asking", sleep=slept.append)
    assert slept == [2.0, 4.0, 8.0]


def test_a_foreign_error_that_stays_names_what_was_being_done() -> None:
    errors = [psycopg2.OperationalError("Connection refused\nmore") for _ in range(4)]
    with pytest.raises(
        TransientError, match=r"connecting: OperationalError: Connection refused \(4 attempts\)"
    ):
        retrying(Work(*errors), doing="connecting", sleep=lambda _: None)


def test_a_permanent_failure_is_never_repeated() -> None:
    work = Work(permanent("asking", found="no", do_next="Change."), busy())
    with pytest.raises(PermanentError):
        retrying(work, doing="asking", sleep=lambda _: pytest.fail("must not wait"))
    assert work.calls == 1


@pytest.mark.parametrize(("asked", "waited"), [(1.0, 2.0), (30.0, 30.0), (120.0, 120.0)])
def test_a_longer_wait_that_was_asked_for_is_honoured(asked: float, waited: float) -> None:
    slept: list[float] = []
    retrying(Work(busy(retry_after=asked)), doing="asking", sleep=slept.append)
    assert slept == [waited]


def test_a_wait_beyond_the_maximum_fails_at_once_and_says_so() -> None:
    work = Work(busy(retry_after=600.0), busy())
    with pytest.raises(PipelineError, match="asked to wait 600 s, which is more than the 120 s allowed"):
        retrying(work, doing="asking", sleep=lambda _: pytest.fail("must not wait"))
    assert work.calls == 1


def test_each_retry_is_told_to_the_observer() -> None:
    told: list[tuple[int, str, float]] = []
    retrying(
        Work(busy(), busy()),
        doing="asking",
        sleep=lambda _: None,
        on_retry=lambda number, error, wait: told.append((number, str(error), wait)),
    )
    assert told == [(1, "asking: busy. Wait.", 2.0), (2, "asking: busy. Wait.", 4.0)]
