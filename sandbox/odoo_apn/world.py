"""What both databases tell about: companies, AWS accounts, deals. Each database computes it for itself, from the seed.

The tables made here are temporary and gone at the end of the transaction that fills a source. `Odd rows`: row r of every
500 is the odd one of its kind, so that each kind is there in a database of 300 leads and stays rare in a large one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from sandbox.odoo_apn import words
from sandbox.odoo_apn.expressions import Draws, text, texts

ODOO_ROWS: dict[str, int] = {
    "res_users": 25, "crm_team": 8, "crm_stage": 8, "res_partner": 1500, "crm_lead": 2000, "c_aws_accounts": 300,
    "c_aws_funding_request": 200, "sale_order": 800, "sale_order_line": 3000, "product_template": 120, "account_move": 1200,
    "account_move_line": 5000, "project_project": 250, "c_billing_internal_cur": 4000, "c_billing_bill": 900,
    "c_billing_bill_line": 3000, "c_billing_spp_bill": 300,
}  # fmt: skip
APN_ROWS: dict[str, int] = {
    "users": 20, "opportunity": 1200, "end_user": 350, "funding_request": 200, "cash_claim": 320, "funding_request_history": 900,
}  # fmt: skip
"""Rows at SCALE=1. res_country and res_country_state are as long as their lists."""
LISTED = {"res_country": len(words.COUNTRIES), "res_country_state": len(words.STATES)}
UNSCALED = ("crm_team", "crm_stage")
SMALLEST = {"res_users": 8, "res_partner": 60, "c_aws_accounts": 40, "users": 4}
"""Below that the odd rows and the references would not fit."""
AS_OF = dt.date(2026, 11, 20)
SEED = 20261120


@dataclass(frozen=True)
class World:
    """Everything that decides the content of both sources."""

    seed: int = SEED
    odoo: Mapping[str, int] = field(default_factory=lambda: ODOO_ROWS | LISTED)
    apn: Mapping[str, int] = field(default_factory=lambda: dict(APN_ROWS))
    as_of: dt.date = AS_OF

    @classmethod
    def scaled(
        cls,
        scale: float = 1,
        *,
        seed: int = SEED,
        as_of: dt.date = AS_OF,
        rows: Mapping[str, int] | None = None,
    ) -> World:
        """`scale` times the default rows; `rows` sets single tables of either system. Raises ValueError for an unknown table."""
        given = dict(rows or {})
        if unknown := sorted(set(given) - set(ODOO_ROWS) - set(APN_ROWS)):
            raise ValueError(f"No table of the sources is called {', '.join(unknown)}.")
        sizes = [
            {
                table: max(
                    given.get(table, count if table in UNSCALED else round(count * scale)),
                    SMALLEST.get(table, 1),
                )
                for table, count in defaults.items()
            }
            for defaults in (ODOO_ROWS, APN_ROWS)
        ]
        return cls(seed, sizes[0] | LISTED, sizes[1], as_of)

    @property
    def today(self) -> str:
        """The day of the data as SQL."""
        return f"date {text(str(self.as_of))}"

    @property
    def staff(self) -> int:
        """Users, each with a partner: partners 2 to 1 + staff. Partner 1 is the own company."""
        return self.odoo["res_users"]

    @property
    def companies(self) -> int:
        """Customers: partners 2 + staff and up. What is left of the partners are contacts."""
        return max(10, (self.odoo["res_partner"] - 1 - self.staff) * 2 // 5)

    def draws(self, table: str, of: str = "i") -> Draws:
        """The draws of a table."""
        return Draws(self.seed, table, of)

    # -- facts that both databases compute -------------------------------------------------------------------

    def partner_of_company(self, company: str) -> str:
        """Id of the partner that is a company."""
        return f"({1 + self.staff} + {company})"

    def plain_account_number(self, account: str) -> str:
        """The 12 digits of an account: unique, and some begin with zeros."""
        return f"lpad(((({account}) * 618033988749 + {self.seed}) % 1000000000000)::text, 12, '0')"

    def company_of_account(self, account: str) -> str:
        """Accounts come in threes."""
        return f"(1 + (((({account}) - 1) / 3) * 1000003 + 17) % {self.companies})"

    def account_of_lead(self, lead: str) -> str:
        """The account a deal is about; half of the leads have none."""
        return self.draws("lead", lead).maybe(
            "account",
            0.5,
            f"1 + {self.draws('lead', lead).number('which account', self.odoo['c_aws_accounts'])}",
        )

    def title_of_lead(self, lead: str) -> str:
        """What the deal is about."""
        return self.draws("lead", lead).pick("title", words.WORK)

    def ace_id(self, number: str) -> str:
        """Partner Central's number of an opportunity; one of every 500 breaks the rule O and digits."""
        return f"(case when ({number}) % 500 = 77 then 'OPP/' else 'O' end || (1000000 + {number})::text)"

    def statements(self) -> list[str]:
        """The temporary tables world_company and world_ace."""
        return [self._companies(), "analyze world_company", self._deals(), "analyze world_ace"]

    def _companies(self) -> str:
        """One row per customer: stem, domain, place, and the names and sites under which the two databases know it.

        One of 40 is the same company as the one before it, entered twice.
        """
        d = self.draws("company", "same")
        # The two entries of one company differ in what depends on k itself.
        own = self.draws("company", "k")
        stems, trades, endings = texts(words.STEMS), texts(words.TRADES), texts(words.ENDINGS)
        countries = list(words.COUNTRIES)[: words.CUSTOMER_COUNTRIES]
        codes = [words.COUNTRIES[name][0] for name in countries]
        prefixes = [words.COUNTRIES[name][1] for name in countries]
        state_of = " ".join(
            f"when {text(code)} then ({texts([str(n) for n, (c, _, _) in enumerate(words.STATES, 1) if c == code])})"
            f"[1 + {d.number('state', sum(c == code for c, _, _ in words.STATES))}]::integer"
            for code in codes
            if any(c == code for c, _, _ in words.STATES)
        )
        pairs = len(words.STEMS) * len(words.TRADES)
        start = self.seed % pairs
        return f"""
create temp table world_company on commit drop as
with numbered as (
    select k, case when k % 40 = 20 then k - 1 else k end as same from generate_series(1::bigint, {self.companies}) as k
), named as (
    select k, same,
        ({stems})[1 + ((same + {start}) % {len(words.STEMS)})] || ' ' || ({trades})[1 + ((same + {start}) % {len(words.TRADES)})]
            || case when same > {pairs} then ' ' || (same / {pairs} + 1) else '' end as stem,
        ({endings})[1 + {d.number("ending", len(words.ENDINGS))}] as ending,
        least({d.number("country", 40)}, 60) as place
    from numbered
), placed as (
    select *,
        regexp_replace(translate(lower(stem), 'üã', 'ua'), '[^a-z0-9]', '', 'g') || '.' || ending as domain,
        1 + case when place < 22 then 0 else place % {len(countries)} end as country_no
    from named
), coded as (
    select *, ({texts(countries)})[country_no] as country, ({texts(codes)})[country_no] as country_code,
        ({texts(prefixes)})[country_no] as phone_prefix
    from placed
)
select
    k, stem, domain, country, country_code, country_no::integer as country_id,
    case country_code {state_of} end as state_id,
    case country_code
        when 'US' then lpad({d.number("zip", 99950)}::text, 5, '0')
            || case when {d.chance("zip4", 0.1)} then '-' || lpad({d.number("zip4", 10000)}::text, 4, '0') else '' end
        when 'CA' then 'K1A 0B' || {d.number("zip", 10)}
        when 'GB' then 'SW' || 1 + {d.number("zip", 18)} || ' 1AA'
        when 'NL' then (1000 + {d.number("zip", 8999)}) || ' AB'
        when 'AU' then lpad((2000 + {d.number("zip", 900)})::text, 4, '0')
        when 'AE' then '99999'
        when 'IN' then (110000 + {d.number("zip", 700000)})::text
        when 'SG' then lpad({d.number("zip", 800000)}::text, 6, '0')
        when 'BR' then lpad({d.number("zip", 90000)}::text, 5, '0') || '-000'
        when 'JP' then (100 + {d.number("zip", 800)}) || '-0001'
        when 'SE' then (100 + {d.number("zip", 800)}) || ' 10'
        when 'IE' then 'D02 X28' || {d.number("zip", 10)}
        else (10000 + {d.number("zip", 80000)})::text
    end as postal_code,
    {d.pick("city", words.CITIES)} as city,
    (1 + {d.number("house", 900)}) || ' ' || {d.pick("street", words.STREETS)} as street,
    '+' || phone_prefix || (2000000000 + {d.number("phone", 900000000)} * 7) as phone,
    lpad({d.number("duns", 1000000000)}::text, 9, '0') as duns,
    {d.pick("industry", words.values_of("industry"))} as industry,
    stem || {own.pick("form", words.LEGAL_FORMS)} as odoo_name,
    case {own.number("drift", 12)}
        when 0 then upper(stem) when 1 then lower(stem) when 2 then 'The ' || stem when 3 then replace(stem, ' ', '  ')
        when 4 then replace(stem, ' & ', ' and ') when 5 then left(stem, 3) || substr(stem, 5) when 6 then stem || ' '
        when 7 then replace(stem, ' ', '-') else stem
    end || {own.pick("other form", words.OTHER_LEGAL_FORMS)} as ace_name,
    {_website(own, "odoo site")} as odoo_website,
    {_website(own, "ace site")} as ace_website
from coded
"""

    def _deals(self) -> str:
        """One row per ACE opportunity. `mode`: how it can be recognised as an Odoo deal, 6 and up not at all.

        0 and 1 by the CRM id that was sent to ACE, 2 and 3 by the AWS account, 4 by the domain, 5 by the drifted name alone.
        """
        leads, accounts = self.odoo["crm_lead"], self.odoo["c_aws_accounts"]
        d = self.draws("deal", "o")
        return f"""
create temp table world_ace on commit drop as
with numbered as (
    select o, o % 10 as mode, 1 + (o * 7919) % {leads} as candidate
    from generate_series(1::bigint, {self.apn["opportunity"]}) as o
), linked as (
    select o, mode, case when mode < 6 then candidate end as lead, {self.account_of_lead("candidate")} as lead_account
    from numbered
)
select
    o, mode, lead,
    case when lead is null then 1 + {d.number("company", self.companies)} else {self.company_of_lead("lead")} end as company,
    case
        when mode in (2, 3) then lead_account
        when mode in (4, 5) then null
        when {d.chance("account", 0.5)} then coalesce(lead_account, 1 + {d.number("account", accounts)})
    end as account
from linked
"""

    def company_of_lead(self, lead: str) -> str:
        """The customer of a deal: that of its account, if it has one."""
        account = self.account_of_lead(lead)
        drawn = f"1 + {self.draws('lead', lead).number('company', self.companies)}"
        return f"coalesce({self.company_of_account(account)}, {drawn})"


def _website(draws: Draws, key: str) -> str:
    """The site of `domain` as people type it; null for some, and for a few no site at all."""
    return f"""case {draws.number(key, 24)}
        when 0 then null when 1 then null when 2 then null when 3 then domain when 4 then 'www.' || domain
        when 5 then 'http://' || domain when 6 then 'http://www.' || domain || '/' when 7 then 'https://' || domain || '/about-us'
        when 8 then 'https://www.' || domain || ':8443/start?utm_source=mail' when 9 then 'HTTPS://WWW.' || upper(domain)
        when 10 then 'https://shop.' || domain when 11 then ' https://' || domain || ' ' when 12 then 'n/a'
        when 13 then 'https://www.linkedin.com/company/' || split_part(domain, '.', 1) when 14 then 'https://' || domain || '.'
        when 15 then 'http://https://' || domain when 16 then domain || ', ' || 'www.' || domain
        else 'https://www.' || domain end"""
