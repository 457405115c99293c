"""Comparing a source table with its mirror: which columns are copied, how, and what is told."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odoo_apn_assets.drift import KeyChanged, Layout, base_type, compare, hash_operand
from odoo_apn_assets.source import LiveColumn
from odoo_apn_assets.specs import METADATA, spec_of, specs

LEAD = spec_of("odoo_crm_lead")
COLUMNS = [LiveColumn(column.name, column.type) for column in LEAD.columns]
MIRROR = [*(LiveColumn(name, kind) for name, kind, _ in METADATA), *COLUMNS]
NEW_SERVER, OLD_SERVER = 150000, 130000


def layout(source: list[LiveColumn], mirror: list[LiveColumn] = MIRROR, **options: bool) -> Layout:
    return compare(LEAD, source, mirror, server_version=NEW_SERVER, **options)


def retyped(name: str, kind: str) -> list[LiveColumn]:
    return [LiveColumn(name, kind) if column.name == name else column for column in COLUMNS]


@given(st.permutations(COLUMNS), st.permutations(MIRROR))
def test_the_order_of_columns_on_either_side_does_not_matter(
    source: list[LiveColumn], mirror: list[LiveColumn]
) -> None:
    """Names map by name: an Odoo whose modules were installed in another order has another order of columns."""
    found = layout(source, mirror)
    assert found.drifts == found.added == ()
    assert {column.name for column in found.columns} == {column.name for column in COLUMNS}
    assert [column.name for column in found.columns] == [
        column.name for column in mirror if column in COLUMNS
    ], "the mirror's order: another one at the source does not make every row look changed"
    assert found.mark == "write_date"
    assert found.verifiable


@given(
    st.lists(st.sampled_from(COLUMNS[1:]), unique=True), st.lists(st.sampled_from("abcdefgh"), unique=True)
)
def test_every_difference_is_told_once_and_the_rest_is_copied(gone: list[LiveColumn], new: list[str]) -> None:
    source = [column for column in COLUMNS if column not in gone or column.name == "id"]
    source += [LiveColumn(f"x_{name}", "integer") for name in new]
    found = layout(source)
    told = {(drift.kind, drift.column) for drift in found.drifts}
    assert len(told) == len(found.drifts)
    assert told == {("column_dropped", column.name) for column in gone if column.name != "id"} | {
        ("column_added", f"x_{name}") for name in new
    }
    assert {column.name for column in found.columns} == {column.name for column in source}
    assert (found.mark is None) == any(column.name == "write_date" for column in gone)
    again = layout(source, [*MIRROR, *found.added])
    assert again.added == (), "a column that has joined the mirror is no difference any more"
    assert again.hashed_columns == found.hashed_columns


@pytest.mark.parametrize(
    ("kind", "mirrored"),
    [
        ("numeric(10,2)", "numeric(10,2)"),
        ("character varying(20)", "character varying(20)"),
        ("timestamp(0) without time zone", "timestamp(0) without time zone"),
        ("integer[]", "integer[]"),
        ("jsonb", "jsonb"),
        ("mood", "text"),
        ("public.citext", "text"),
        ("int4range", "text"),
    ],
)
def test_a_new_column_keeps_a_type_that_every_server_has_and_becomes_text_else(
    kind: str, mirrored: str
) -> None:
    found = layout([*COLUMNS, LiveColumn("x_new", kind)])
    assert found.added == (LiveColumn("x_new", mirrored),)
    assert found.columns[-1].as_text == (kind != mirrored)
    assert not found.columns[-1].retyped


@pytest.mark.parametrize(
    ("column", "kind", "as_text", "mark"),
    [
        ("color", "text", True, "write_date"),
        ("color", "bigint", True, "write_date"),
        ("write_date", "timestamp with time zone", True, None),
        ("name", "character varying(64)", False, "write_date"),
        ("name", "text", True, "write_date"),
    ],
)
def test_a_retyped_column_is_told_and_converted_unless_it_only_became_narrower(
    column: str, kind: str, as_text: bool, mark: str | None
) -> None:
    found = layout(retyped(column, kind))
    assert [(drift.kind, drift.column, drift.found) for drift in found.drifts] == [
        ("column_retyped", column, kind)
    ]
    assert [one.name for one in found.columns if one.as_text] == ([column] if as_text else [])
    assert found.mark == mark
    assert found.verifiable != as_text


def test_a_frozen_table_and_a_lookup_take_no_new_column() -> None:
    new = [*COLUMNS, LiveColumn("x_new", "text")]
    frozen = compare(dataclasses.replace(LEAD, contract="freeze"), new, MIRROR, server_version=NEW_SERVER)
    assert (frozen.added, [drift.kind for drift in frozen.drifts]) == ((), ["column_added"])
    fixed = compare(dataclasses.replace(LEAD, contract="fixed"), new, MIRROR, server_version=NEW_SERVER)
    assert (fixed.added, fixed.drifts) == ((), ())
    assert "x_new" not in {column.name for column in fixed.columns}


@pytest.mark.parametrize("name", sorted(name for name, _, _ in METADATA))
def test_a_source_column_with_the_name_of_a_metadata_column_is_told_and_left(name: str) -> None:
    found = layout([*COLUMNS, LiveColumn(name, "text")])
    assert found.added == ()
    assert [drift.action for drift in found.drifts] == ["not mirrored: name taken"]


@pytest.mark.parametrize(
    ("mirror", "source", "becomes"),
    [
        ("integer", "integer", None),
        ("integer", "bigint", "bigint"),
        ("character varying(100)", "character varying(200)", "character varying(200)"),
        ("character varying(100)", "character varying", "character varying"),
        ("character varying(100)", "character varying(36)", None),
        ("character varying", "character varying(36)", None),
    ],
)
def test_the_key_grows_with_the_source_and_never_shrinks(
    mirror: str, source: str, becomes: str | None
) -> None:
    found = layout(retyped("id", source), [LiveColumn("id", mirror), *MIRROR[len(METADATA) + 1 :]])
    assert found.widened_key == becomes
    assert not found.columns[0].as_text, "keys are compared as they are"
    assert found.columns[0].type == (becomes or mirror)
    assert [drift.column for drift in found.drifts] == (["id"] if becomes else [])


@pytest.mark.parametrize(
    ("mirror", "source"),
    [("integer", "text"), ("bigint", "integer"), ("integer", "smallint"), ("character varying(100)", "uuid")],
)
def test_a_key_of_another_kind_is_refused(mirror: str, source: str) -> None:
    with pytest.raises(KeyChanged, match=f"the key id is {source}"):
        layout(retyped("id", source), [LiveColumn("id", mirror), *MIRROR[len(METADATA) + 1 :]])


def test_a_table_without_its_key_is_refused() -> None:
    with pytest.raises(KeyChanged, match="the key id is gone"):
        layout(COLUMNS[1:] if COLUMNS[0].name == "id" else [c for c in COLUMNS if c.name != "id"])


def test_the_hash_follows_the_age_of_the_server_and_the_wish() -> None:
    assert layout(COLUMNS).hash_method == "record"
    assert compare(LEAD, COLUMNS, MIRROR, server_version=OLD_SERVER).hash_method == "text"
    assert layout(COLUMNS, hashed=False).hash_method == "none"
    # Without a mark the hash is all there is.
    assert layout(retyped("write_date", "date"), hashed=False).hash_method == "record"


def test_numbers_that_are_equal_but_look_different_hash_differently() -> None:
    assert hash_operand("record", "t.a", "numeric(10,2)") == "t.a::text"
    assert hash_operand("record", "t.a", "character varying(20)") == "t.a"
    assert hash_operand("text", "t.a", "double precision") == "encode(float8send(t.a), 'hex')"
    assert hash_operand("text", "t.a", "real") == "encode(float4send(t.a), 'hex')"


@pytest.mark.parametrize(
    ("kind", "base"),
    [
        ("numeric(16,2)", "numeric"),
        ("timestamp(0) without time zone", "timestamp without time zone"),
        ("character varying(20)[]", "character varying[]"),
        ("text", "text"),
    ],
)
def test_a_type_without_its_limit(kind: str, base: str) -> None:
    assert base_type(kind) == base


def test_every_table_of_the_catalogue_is_its_own_mirror() -> None:
    for spec in specs():
        columns = [LiveColumn(column.name, column.type) for column in spec.columns]
        found = compare(spec, columns, columns, server_version=NEW_SERVER)
        assert (found.drifts, found.added, found.mark) == ((), (), spec.mark)
