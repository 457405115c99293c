"""The tables of the two sources: those of the catalogue as it lists them, and those beside it that real ones have.

Beside the catalogue: Odoo's res_users (with its secrets) and res_country, of which a mirror may read some columns, and the
migration table of the APN service, which it must skip.
"""

from __future__ import annotations

from odoo_apn_assets.specs import LOOKUPS, TableSpec, quoted, specs_of

USERS = """
create table res_users (
    id serial primary key, active boolean default true, login character varying not null, password character varying,
    company_id integer not null, partner_id integer not null, create_date timestamp without time zone, signature text,
    action_id integer, share boolean, create_uid integer, write_uid integer, write_date timestamp without time zone,
    totp_secret character varying, notification_type character varying not null, odoobot_state character varying,
    odoobot_failed boolean, sale_team_id integer, target_sales_won integer, target_sales_done integer,
    target_sales_invoiced integer, website_id integer, karma integer, rank_id integer, next_rank_id integer,
    oauth_provider_id integer, oauth_uid character varying, oauth_access_token character varying,
    unique (login, website_id)
)"""
COUNTRIES = """
create table res_country (
    id serial primary key, name character varying not null, code character varying(2), address_format text,
    address_view_id integer, currency_id integer, phone_code integer, name_position character varying,
    vat_label character varying, state_required boolean, zip_required boolean, create_uid integer,
    create_date timestamp without time zone, write_uid integer, write_date timestamp without time zone,
    unique (name), unique (code)
)"""
SQLX_MIGRATIONS = """
create table _sqlx_migrations (
    version bigint primary key, description text not null, installed_on timestamptz not null default now(),
    success boolean not null, checksum bytea not null, execution_time bigint not null
)"""


def tables(system: str) -> tuple[TableSpec, ...]:
    """The catalogue's tables of a system: 17 of Odoo, 6 of APN."""
    return tuple(spec for spec in specs_of(system) if not spec.is_lookup)


def create_statements(system: str) -> list[str]:
    """Every CREATE TABLE of a source, in the column order of the catalogue."""
    created = [_create(spec) for spec in tables(system)]
    return [*created, USERS, COUNTRIES] if system == "odoo" else [*created, SQLX_MIGRATIONS]


def _create(spec: TableSpec) -> str:
    """Odoo's keys count up; the keys of APN are texts that Partner Central gave out."""
    lines = []
    for column in spec.columns:
        kind = column.type
        if column.name == "id":
            kind = "serial primary key" if spec.system == "odoo" else f"{column.type} primary key"
        lines.append(f"    {quoted(column.name)} {kind}")
    return f"create table {quoted(spec.table)} (\n" + ",\n".join(lines) + "\n)"


def foreign_keys() -> list[str]:
    """The 11 references of the APN tables as constraints. Odoo has none here: its ids may point to nothing."""
    return [
        f"alter table {quoted(spec.table)} add foreign key ({quoted(column.name)})"
        f" references {quoted(column.relation.partition('.')[0])} (id)"
        for spec in tables("apn")
        for column in spec.columns
        if column.relation
    ]


def grant_statements(system: str, reader: str) -> list[str]:
    """What a read-only login may see: the catalogue's tables, and of the lookups the columns that are read."""
    names = ", ".join(quoted(spec.table) for spec in tables(system))
    granted = [
        f"grant usage on schema public to {quoted(reader)}",
        f"grant select on {names} to {quoted(reader)}",
    ]
    if system == "odoo":
        granted += [
            f"grant select ({', '.join(quoted(column) for column, _, _ in columns)}) on {quoted(table)} to {quoted(reader)}"
            for table, columns in LOOKUPS.items()
        ]
    return granted
