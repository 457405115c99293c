"""The pure half of the Fullbay protocol: token, windows, envelope, elements as received."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullbay_assets.parsing import day
from fullbay_assets.protocol import (
    PageAnswer,
    Record,
    Refusal,
    decode_page,
    escape_control_characters,
    token,
    windows,
)
from resources.failures import PermanentError, TransientError
from resources.redaction import register_secret

GOOD = b'{"primaryKey":"7","invoiceDate":"2026-10-01","total": 10.10,  "note":"as  sent"}'


def body(*elements: bytes, **fields: Any) -> bytes:
    """An envelope around elements that are given as bytes."""
    envelope = {"status": "SUCCESS", "totalCount": len(elements), "totalPages": 1, "currentPage": 1, **fields}
    return json.dumps(envelope).encode()[:-1] + b', "resultSet":[' + b",\n ".join(elements) + b"]}"


def page(content: bytes) -> PageAnswer:
    answer = decode_page(content, doing="testing")
    assert isinstance(answer, PageAnswer)
    return answer


def records(content: bytes) -> list[Record]:
    return page(content).records


def test_the_token_is_that_of_the_reference() -> None:
    key = "11111111-2222-3333-4444-555555555555"
    assert token(key, date(2025, 6, 3), "203.0.113.7") == "d0185036accfb79e4344cd8de67ad29b772a5650"


def test_windows_have_at_most_seven_inclusive_days() -> None:
    assert list(windows(date(2026, 10, 1), date(2026, 10, 16))) == [
        (date(2026, 10, 1), date(2026, 10, 7)),
        (date(2026, 10, 8), date(2026, 10, 14)),
        (date(2026, 10, 15), date(2026, 10, 16)),
    ]
    assert list(windows(date(2026, 10, 1), date(2026, 10, 1))) == [(date(2026, 10, 1), date(2026, 10, 1))]
    assert list(windows(date.max, date.max)) == [(date.max, date.max)]


@given(start=st.dates(), days=st.integers(min_value=0, max_value=100))
def test_windows_cover_every_day_once(start: date, days: int) -> None:
    end = date.fromordinal(min(start.toordinal() + days, date.max.toordinal()))
    covered = [
        first + timedelta(days=day)
        for first, last in windows(start, end)
        for day in range((last - first).days + 1)
    ]
    assert covered == [date.fromordinal(day) for day in range(start.toordinal(), end.toordinal() + 1)]


def test_a_range_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(PermanentError, match="2026-10-02 to 2026-10-01, which ends before it starts"):
        list(windows(date(2026, 10, 2), date(2026, 10, 1)))


def test_an_element_keeps_its_bytes_and_shows_its_head() -> None:
    (record,) = records(body(GOOD))
    assert bytes(record.payload) == GOOD
    assert record[1:] == ("7", date(2026, 10, 1), False, None)


@pytest.mark.parametrize("status", ["SUCCESS", "success", " Success "])
def test_success_is_recognised_in_any_case(status: str) -> None:
    assert len(records(body(GOOD, status=status))) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"status":"FAIL","message":"Invalid token"}', "Invalid token"),
        (b'{"status":"fail"}', "FAIL without a message"),
        (b'{"status":"FAIL","message":"no","resultSet":{}}', "no"),
        (b'{"status":"FAIL","message":"tab\there"}', "tab\there"),
        (b'{"error":"Access denied"}', "Access denied"),
        (b'{"Error":{"code":5}}', "{'code': 5}"),
        (b'{"status":"SUCCESS","error":"half done","totalCount":0,"resultSet":[]}', "half done"),
    ],
)
def test_a_failure_under_http_200_is_a_refusal_with_its_message(content: bytes, message: str) -> None:
    """A client that looks for rows first takes a FAIL for one invoice, drops it and reports success."""
    assert decode_page(content, doing="testing") == Refusal(message)


def test_an_error_field_that_is_empty_is_no_failure() -> None:
    assert page(body(error="", Error=None)).total_count == 0


@pytest.mark.parametrize("status", ["OK", "PARTIAL", 1, True, ["SUCCESS"]])
def test_any_other_status_is_an_error_that_names_it(status: Any) -> None:
    with pytest.raises(PermanentError, match="instead of SUCCESS or FAIL") as raised:
        decode_page(body(status=status), doing="testing")
    assert str(status) in str(raised.value)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "nothing"),
        (b"  \n", "nothing"),
        (b"<html><body>502 Bad Gateway</body></html>", "502 Bad Gateway"),
        (b"<br />Warning: mysql_connect()", "mysql_connect"),
        (body(GOOD)[:-20], "not JSON"),
        (b"[]", "no object"),
        (b'"SUCCESS"', "no object"),
        (b'{"totalCount":0}', "without a status"),
        (b"[" * 100_000, "no object"),
        (b'{"status":"SUCCESS","totalCount":' + b"[" * 100_000, "not JSON"),
    ],
)
def test_a_body_that_is_no_complete_answer_is_transient_and_keeps_its_beginning(
    content: bytes, found: str
) -> None:
    with pytest.raises(TransientError, match=found):
        decode_page(content, doing="testing")


def test_of_a_bad_body_500_characters_are_kept_without_secrets() -> None:
    register_secret("canary-in-a-body")
    with pytest.raises(TransientError) as raised:
        decode_page(b"canary-in-a-body" + b"x" * 5000 + b"end", doing="testing")
    assert "canary" not in str(raised.value)
    assert "x" * 400 in str(raised.value)
    assert "x" * 501 not in str(raised.value)


@pytest.mark.parametrize(
    ("value", "kind"),
    [(b"{}", "an object"), (b'"none"', "a text"), (b"5", "a number"), (b"true", "a boolean")],
)
def test_a_result_set_that_is_no_list_is_named(value: bytes, kind: str) -> None:
    with pytest.raises(PermanentError, match=f"a resultSet that is {kind} instead of a list"):
        decode_page(b'{"status":"SUCCESS","totalCount":1,"resultSet":' + value + b"}", doing="testing")


@pytest.mark.parametrize(
    ("element", "kind"),
    [(b"5", "a number"), (b"null", "null"), (b'"x"', "a text"), (b"[1]", "a list"), (b"false", "a boolean")],
)
def test_an_element_that_is_no_object_is_named_and_costs_nobody_else(element: bytes, kind: str) -> None:
    first, second = records(body(element, GOOD))
    assert (bytes(first.payload), first.primary_key) == (element, None)
    assert first.problem == f"an element that is {kind} instead of an object"
    assert second.primary_key == "7"


@pytest.mark.parametrize(
    ("value", "key"), [(b'"12"', "12"), (b"12", "12"), (b'" 12 "', "12"), (b'""', None), (b"null", None)]
)
def test_a_key_may_be_a_text_or_a_number_and_may_be_missing(value: bytes, key: str | None) -> None:
    (record,) = records(body(b'{"primaryKey":' + value + b"}"))
    assert (record.primary_key, record.problem) == (key, None)


@pytest.mark.parametrize("value", [b"1.5", b"true", b"{}", b"[1]"])
def test_a_key_of_another_kind_is_no_key_and_says_so(value: bytes) -> None:
    (record,) = records(body(b'{"primaryKey":' + value + b"}"))
    assert record.primary_key is None
    assert "primaryKey that is" in str(record.problem)


@pytest.mark.parametrize("value", ['"0000-00-00"', '""', "null", "20261001", '"2026-13-01"', '"20261001"'])
def test_a_date_that_is_none_is_left_out(value: str) -> None:
    (record,) = records(body(b'{"primaryKey":"1","invoiceDate":' + value.encode() + b"}"))
    assert (record.primary_key, record.invoice_date) == ("1", None)


@pytest.mark.parametrize(
    "value", ["2026-10-01", " 2026-10-01", "2026-10-01 00:00:00", "2026-10-01T08:00:00Z"]
)
def test_the_date_of_a_record_is_the_one_that_storing_it_reads(value: str) -> None:
    """Where the two differ, a replay builds the lines of another date than the invoice was stored for."""
    (record,) = records(body(b'{"primaryKey":"1","invoiceDate":"' + value.encode() + b'"}'))
    assert record.invoice_date == day({"invoiceDate": value}, "invoiceDate") == date(2026, 10, 1)


@pytest.mark.parametrize(("value", "count"), [("3", 3), (3, 3), (3.0, 3), (" 3 ", 3)])
def test_counts_may_be_numbers_or_texts(value: Any, count: int) -> None:
    answer = page(body(GOOD, totalCount=value, totalPages=value))
    assert (answer.total_count, answer.total_pages) == (count, count)


@pytest.mark.parametrize("missing", [None, ""])
def test_total_pages_may_be_missing(missing: Any) -> None:
    assert page(body(GOOD, totalPages=missing)).total_pages is None


@pytest.mark.parametrize("value", [-1, "many", 1.5, True, [3], "9" * 5000])
def test_a_count_that_is_none_is_named(value: Any) -> None:
    with pytest.raises(PermanentError, match=r"totalCount .* is no count"):
        decode_page(body(GOOD, totalCount=value), doing="testing")


def test_without_a_total_count_completeness_cannot_be_told() -> None:
    with pytest.raises(PermanentError, match="no totalCount"):
        decode_page(body(GOOD, totalCount=None), doing="testing")


def test_a_missing_result_set_is_only_taken_for_an_empty_one_when_nothing_is_due() -> None:
    assert records(b'{"status":"SUCCESS","totalCount":0,"resultSet":null}') == []
    with pytest.raises(PermanentError, match="no resultSet, totalCount 2"):
        decode_page(b'{"status":"SUCCESS","totalCount":2}', doing="testing")


@pytest.mark.parametrize("raw", [b"\x00", b"\n", b"\t", b"\x1f"])
def test_a_raw_control_character_is_escaped_in_its_invoice_only(raw: bytes) -> None:
    """The strict decoder refuses the whole page; one sloppy note must not hold up a week of invoices."""
    sloppy = b'{"primaryKey":"8","invoiceDate":"2026-10-02","note":"a' + raw + b'b [{\\" }","x":[{"y":[]}]}'
    first, second, third = records(body(GOOD, sloppy, GOOD))
    assert second[1:] == ("8", date(2026, 10, 2), True, None)
    assert bytes(second.payload) == sloppy.replace(raw, b"\\u%04x" % raw[0])
    assert msgspec.json.decode(second.payload)["note"] == f'a{raw.decode()}b [{{" }}'
    for other in (first, third):
        assert bytes(other.payload) == GOOD
        assert not other.repaired


@pytest.mark.parametrize(
    "fault", [b'"\\ud800"', b"NaN", b"-Infinity", b"[" * 100_000 + b"]" * 100_000, b"01", b"tru", b'"\\x"']
)
def test_an_element_that_is_no_json_is_kept_as_it_came_with_its_key(fault: bytes) -> None:
    broken = (
        b'{"inner":{"primaryKey":"wrong"},"primaryKey":"9","invoiceDate":"2026-10-03","note":' + fault + b"}"
    )
    first, second = records(body(broken, GOOD))
    assert (bytes(first.payload), first.primary_key) == (broken, "9")
    assert first.invoice_date == date(2026, 10, 3)
    assert str(first.problem).startswith("no valid JSON: ")
    assert (second.primary_key, second.problem) == ("7", None)


def test_a_scalar_element_beside_a_broken_one_is_not_lost() -> None:
    first, second = records(body(b"5", b'{"primaryKey":"8","note":"a\x00b"}'))
    assert first.problem == "an element that is a number instead of an object"
    assert second.primary_key == "8"


def test_a_byte_order_mark_is_no_fault() -> None:
    assert len(records(b"\xef\xbb\xbf" + body(GOOD))) == 1


def test_a_note_of_ten_megabytes_passes() -> None:
    large = b'{"primaryKey":"1","note":"' + b"x" * 10_000_000 + b'"}'
    (record,) = records(body(large))
    assert bytes(record.payload) == large


@given(text=st.text(max_size=50))
def test_escaping_gives_what_a_careful_writer_would_have_sent(text: str) -> None:
    careful = json.dumps({"a": text}, ensure_ascii=False)
    if any("\ud800" <= character <= "\udfff" for character in text):
        return
    sloppy = careful
    for number in range(32):
        escaped = json.dumps(chr(number))[1:-1]
        if "\\\\" not in careful:
            sloppy = sloppy.replace(escaped, chr(number))
    assert json.loads(escape_control_characters(sloppy.encode())) == {"a": text}


@given(
    elements=st.lists(
        st.dictionaries(
            st.text(max_size=5), st.recursive(st.text(max_size=8), st.lists, max_leaves=4), max_size=4
        ),
        max_size=5,
    )
)
def test_the_slow_path_cuts_exactly_where_the_fast_one_does(elements: list[dict[str, Any]]) -> None:
    encoded = [json.dumps(element).encode() for element in elements]
    faulty = b'{"primaryKey":"last","note":NaN}'
    try:
        fast = [bytes(record.payload) for record in records(body(*encoded))]
    except TransientError:
        return  # half a surrogate pair in a generated text: the slow path is the only one
    slow = [bytes(record.payload) for record in records(body(*encoded, faulty))]
    assert slow == [*fast, faulty]
