"""How the tables of the Odoo source are filled: one `Filling` per table, columns not named here get a plausible value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sandbox.odoo_apn import words
from sandbox.odoo_apn.expressions import Draws, text, texts
from sandbox.odoo_apn.world import World

CANARY = "CANARY"
"""Begins every password and token of res_users: nothing that leaves the source may hold it."""
OWN_DOMAIN = "cloudpartner.example"


@dataclass(frozen=True)
class Filling:
    """Where the rows of a table come from (a FROM clause with row number `i`) and what its columns are."""

    table: str
    source: str
    columns: dict[str, str] = field(default_factory=dict)


def fillings(world: World) -> list[Filling]:
    """All tables of the Odoo source."""
    made = (
        _users, _countries, _states, _teams, _stages, _partners, _leads, _accounts, _funding, _orders, _order_lines, _products,
        _moves, _move_lines, _projects, _internal_cur, _bills, _bill_lines, _spp_bills,
    )  # fmt: skip
    return [one(world) for one in made]


def _series(count: int) -> str:
    return f"generate_series(1::bigint, {count}) as i"


def _audit(world: World, d: Draws, days: int = 1400) -> dict[str, str]:
    """The columns that every Odoo table has. Imports wrote many rows at the same microsecond, and SQL wrote some without a mark."""
    created = d.moment("create_date", world.today, days)
    changed = f"({created} + ({world.today} - {created}) * {d.unit('write_date')} ^ 3)"
    return {
        "create_uid": d.link("create_uid", world.staff, unresolved=0.0),
        "write_uid": d.link("write_uid", world.staff, unresolved=0.0),
        "create_date": created,
        "write_date": f"case when i % 500 = 31 then null when i % 10 = 4 then {world.today}::timestamp - interval '90 days'"
        f" - (i % 4) * interval '7 days' else {changed} end",
    }


def _chosen(d: Draws, weights: Sequence[tuple[str, int]], key: str) -> str:
    """One of the values by weight."""
    return d.pick(key, [value for value, weight in weights for _ in range(weight)])


def _users(world: World) -> Filling:
    d = world.draws("res_users")
    secret = f"md5({world.seed} || '/' || i)"
    partner = world.draws("res_partner", "i + 1")
    return Filling(
        "res_users",
        _series(world.staff),
        {
            "active": "i % 7 <> 5",
            "login": f"case when i = 1 then 'admin' else {_staff_mail(partner, 'i + 1')} end",
            "password": f"'$pbkdf2-sha512$25000${CANARY}-PASSWORD-' || {secret}",
            "company_id": "1",
            "partner_id": "case when i = 8 then 999999 else i + 1 end",
            "signature": f"'<p>--<br>' || {partner.person('name')} || '</p>'",
            "share": "false",
            "totp_secret": f"case when i % 3 = 0 then '{CANARY}-TOTP-' || {secret} end",
            "notification_type": "'email'",
            "odoobot_state": "'onboarding_emoji'",
            "sale_team_id": d.link("team", world.odoo["crm_team"], 0.7, 0.0),
            "karma": "0",
            "oauth_provider_id": "case when i % 2 = 0 then 3 end",
            "oauth_uid": "case when i % 2 = 0 then md5('uid' || i) end",
            "oauth_access_token": f"case when i % 2 = 0 then '{CANARY}-OAUTH-' || {secret} end",
        }
        | _audit(world, d),
    )


def _staff_mail(partner: Draws, number: str) -> str:
    """Address of a member of staff; the number keeps logins apart."""
    name = f"translate(lower({partner.pick('name first', words.FIRST_NAMES)}), 'öáëé', 'oaee')"
    return f"{name} || '.' || ({number}) || '@{OWN_DOMAIN}'"


def _countries(world: World) -> Filling:
    codes, prefixes = zip(*words.COUNTRIES.values(), strict=True)
    return Filling(
        "res_country",
        _series(len(words.COUNTRIES)),
        {
            "name": f"({texts(list(words.COUNTRIES))})[i]",
            "code": f"({texts(codes)})[i]",
            "currency_id": "1 + i % 7",
            "phone_code": f"({texts(prefixes)})[i]::integer",
            "state_required": "i < 3",
            "zip_required": "i <> 12",
            "name_position": "'before'",
        }
        | _audit(world, world.draws("res_country")),
    )


def _states(world: World) -> Filling:
    numbers = {code: str(number) for number, (code, _) in enumerate(words.COUNTRIES.values(), 1)}
    countries, codes, names = zip(*words.STATES, strict=True)
    return Filling(
        "res_country_state",
        _series(len(words.STATES)),
        {
            "country_id": f"({texts([numbers[code] for code in countries])})[i]::integer",
            "name": f"({texts(names)})[i]",
            "code": f"({texts(codes)})[i]",
        }
        | _audit(world, world.draws("res_country_state")),
    )


def _teams(world: World) -> Filling:
    d = world.draws("crm_team")
    return Filling(
        "crm_team",
        _series(world.odoo["crm_team"]),
        {
            "name": f"coalesce(({texts(words.TEAMS)})[i], 'Team ' || i)",
            "sequence": "i",
            "active": "i % 8 <> 0",
            "company_id": "1",
            "user_id": d.link("user", world.staff, unresolved=0.0),
        }
        | _audit(world, d),
    )


def _stages(world: World) -> Filling:
    names, ace = zip(*words.STAGES, strict=True)
    return Filling(
        "crm_stage",
        _series(world.odoo["crm_stage"]),
        {
            "name": f"coalesce(({texts(names)})[i], 'Stage ' || i)",
            "sequence": "i * 10",
            "is_won": "i in (6, 7)",
            "fold": "i = 8",
            "c_aws_ace_stage": f"({texts(ace)})[i]",
        }
        | _audit(world, world.draws("crm_stage")),
    )


def _mail(d: Draws, key: str, name: str, domain: str) -> str:
    """An address as typed: at the company, at a free-mail host, with a name before it, in capitals, broken."""
    local = f"translate(lower(replace({name}, ' ', '.')), 'öáëéü''', 'oaeeu')"
    return f"""case {d.number(key, 40)}
        when 0 then null when 1 then null when 2 then null when 3 then upper({local} || '@' || {domain})
        when 4 then '"' || {name} || '" <' || {local} || '@' || {domain} || '>' when 5 then {local} || '@' || {domain} || ' '
        when 6 then {local} || '@mail.' || {domain} when 7 then {local} when 8 then {local} || '@' || {d.pick(key + " free", words.FREE_MAIL)}
        when 9 then {local} || '@' || {d.pick(key + " free", words.FREE_MAIL)} when 10 then {local} || '@' || {d.pick(key + " free", words.FREE_MAIL)}
        when 11 then {local} || '@' || {domain} || '; office@' || {domain}
        else {local} || '@' || {domain} end"""


def _phone(d: Draws, key: str) -> str:
    """A number as typed."""
    digits = f"lpad({d.number(key + ' digits', 100)}::text, 2, '0')"
    return f"""case {d.number(key, 8)}
        when 0 then '(415) 555-01' || {digits} when 1 then '+1 415-555-01' || {digits} when 2 then '415.555.01' || {digits}
        when 3 then '+44 20 7946 09' || {digits} when 4 then '+1415555' || '01' || {digits} || ' ext. 12'
        else '+14155550' || '1' || {digits} end"""


def _partners(world: World) -> Filling:
    """Partner 1 is the own company, then the staff, then the customers, then their contacts."""
    d = world.draws("res_partner")
    staff, companies = world.staff, world.companies
    first = 1 + staff + companies
    is_company = "(i = 1 or c.k is not null)"
    name = f"""case when i = 1 then 'Cloud Partner, Inc.' when i <= {1 + staff} then {d.person("name")}
        when i % 500 = 55 then {d.person("name")} || repeat(' of the very long name', 30)
        when c.k is not null then c.odoo_name else {d.person("name")} end"""
    mail = f"""case when i = 1 then 'office@{OWN_DOMAIN}' when i <= {1 + staff} then {_staff_mail(d, "i")}
        when c.k is not null then {d.pick("box", ("info", "office", "it", "Contact"))} || '@' || c.domain
        else {_mail(d, "email", "(" + d.person("name") + ")", "p.domain")} end"""
    parent = f"case when i > {first} and p.k % 9 <> 0 then {world.partner_of_company('p.k')} end"
    return Filling(
        "res_partner",
        f"""{_series(world.odoo["res_partner"])}
        left join world_company c on c.k = i - {1 + staff} and i <= {first}
        left join world_company p on p.k = 1 + {d.number("parent", companies)} and i > {first}""",
        {
            "name": name,
            "display_name": f"case when p.k is not null then p.odoo_name || ', ' || ({name}) else {name} end",
            "company_id": d.maybe("company_id", 0.5, "1"),
            "parent_id": parent,
            "commercial_partner_id": f"coalesce({parent}, i)",
            "commercial_company_name": "coalesce(p.odoo_name, c.odoo_name)",
            "company_name": d.maybe("company_name", 0.1, "p.odoo_name"),
            "is_company": is_company,
            "type": _chosen(d, (("contact", 8), ("invoice", 1), ("delivery", 1)), "type"),
            "active": f"i < 4 or not ({d.chance('archived', 0.06)})",
            "employee": f"i between 2 and {1 + staff}",
            "website": f"case when i = 1 then 'https://{OWN_DOMAIN}' when c.k is not null then c.odoo_website"
            f" when {d.chance('own site', 0.05)} then p.odoo_website end",
            "c_domain": "case when c.k % 4 = 0 then c.domain end",
            "email": mail,
            "email_normalized": f"lower(substring({mail} from '[^ <;]+@[^ >;]+'))",
            "phone": d.maybe("has phone", 0.6, _phone(d, "phone")),
            "mobile": d.maybe("has mobile", 0.25, _phone(d, "mobile")),
            "street": "case when c.k is not null then c.street end",
            "street2": d.maybe("street2", 0.1, "'Suite ' || i % 90"),
            "city": "coalesce(c.city, case when p.k % 2 = 0 then p.city end)",
            "zip": "c.postal_code",
            "state_id": "coalesce(c.state_id, case when p.k % 2 = 0 then p.state_id end)",
            # A third has a state but no country: the country is then that of the state.
            "country_id": f"case when c.state_id is not null and {d.chance('no country', 0.3)} then null else c.country_id end",
            "function": f"case when not {is_company} then {d.pick('function', words.JOB_TITLES)} end",
            "lang": "'en_US'",
            "tz": d.pick("tz", ("America/New_York", "Europe/Berlin", "Australia/Sydney", "UTC")),
            "user_id": d.link("user_id", staff, 0.5),
            "team_id": d.link("team_id", world.odoo["crm_team"], 0.4),
            "c_aws_payer_account_id": d.link("payer", world.odoo["c_aws_accounts"], 0.2),
            "c_duns_number": "c.duns",
            "signup_token": d.maybe("signup", 0.05, f"md5('signup' || {world.seed} || i)"),
        }
        | _audit(world, d),
    )


def _leads(world: World) -> Filling:
    """Leads and opportunities, won, lost and open. `w` is the ACE opportunity of the same deal, if there is one."""
    d = world.draws("crm_lead")
    accounts = world.odoo["c_aws_accounts"]
    kind = "case when lead.drawn < 25 then 'lead' else 'opportunity' end"
    stage = f"case when lead.drawn < 25 then 1 when i % 500 = 66 then 9999 else 1 + {d.number('stage', world.odoo['crm_stage'])} end"
    won = f"({stage}) in (6, 7)"
    has_partner = f"(lead.drawn >= 25 and not ({d.chance('no partner', 0.08)}))"
    contact = f"({d.person('contact')})"
    ace = {
        "c_aws_ace_apnCrmUniqueIdentifier": world.ace_id("w.o"),
        "c_aws_ace_partnerCrmUniqueIdentifier": "i::text",
        "c_aws_ace_status": f"case when {d.chance('draft', 0.05)} then 'Draft' else {d.pick('ace status', words.values_of('status'))} end",
        "c_aws_ace_stage": d.pick("ace stage", words.values_of("stage")),
        "c_aws_ace_opportunityOwnership": d.pick("ace owner", words.values_of("opportunity_ownership")),
        "c_aws_ace_opportunityType": d.pick("ace type", words.values_of("opportunity_type")),
        "c_aws_ace_customerCompanyName": "c.ace_name",
        "c_aws_ace_customerWebsite": "c.ace_website",
        "c_aws_ace_customerDuns": "c.duns",
        "c_aws_ace_industry": f"case when {d.chance('drift', 0.1)} then {d.pick('industry', words.drifted('industry'))} else c.industry end",
        "c_aws_ace_useCase": d.pick("use case", words.values_of("use_case")),
        "c_aws_ace_country": "c.country",
        "c_aws_ace_postalCode": "c.postal_code",
        "c_aws_ace_city": "c.city",
        "c_aws_ace_streetAddress": "c.street",
        "c_aws_ace_deliveryModel": f"{d.pick('dm', words.values_of('delivery_model'))} || ';' || 'Other'",
        "c_aws_ace_partnerProjectTitle": world.title_of_lead("i"),
        "c_aws_ace_projectDescription": d.sentences("ace description"),
        "c_aws_ace_expectedMonthlyAwsRevenue": d.money("ace revenue", 60000),
        "c_aws_ace_targetCloseDate": d.day("ace close", world.today + " + 200", 500),
    }
    filled = {
        name: f"case when w.o is not null and w.mode < 4 then {value} end" for name, value in ace.items()
    }
    return Filling(
        "crm_lead",
        f"""(
            select i, {world.account_of_lead("i")} as account, {world.company_of_lead("i")} as company, {d.number("kind", 100)} as drawn
            from {_series(world.odoo["crm_lead"])} offset 0
        ) as lead
        left join world_company c on c.k = lead.company
        left join (select distinct on (lead) * from world_ace where lead is not null order by lead, o) as w on w.lead = i""",
        {
            "name": f"case when i % 500 = 99 then c.stem || repeat(' and a name that goes on', 25) else c.stem || ' - ' || {world.title_of_lead('i')} end",
            "type": kind,
            "active": f"not ({d.chance('archived', 0.12)})",
            "partner_id": f"case when i % 500 = 111 then 888888 when {has_partner} then {world.partner_of_company('lead.company')} end",
            "partner_name": f"case when not {has_partner} or {d.chance('typed', 0.3)} then c.odoo_name end",
            "contact_name": contact,
            "email_from": _mail(d, "email", contact, "c.domain"),
            "phone": d.maybe("phone", 0.5, _phone(d, "phone")),
            "website": f"case when not {has_partner} then c.odoo_website end",
            "user_id": d.link("user_id", world.staff, 0.9),
            "team_id": d.link("team_id", world.odoo["crm_team"], 0.9),
            "company_id": "1",
            "stage_id": stage,
            "priority": f"{d.number('priority', 4)}::text",
            "probability": f"case when {won} then 100 when {kind} = 'lead' then 0 else round(({d.unit('probability')} * 99)::numeric, 2) end",
            "expected_revenue": d.maybe("revenue", 0.85, d.money("revenue", 900000)),
            "date_closed": f"case when {won} then {d.moment('closed', world.today, 700)} end",
            "date_deadline": d.maybe("deadline", 0.7, d.day("deadline", world.today + " + 150", 700)),
            "city": "c.city",
            "zip": "c.postal_code",
            "country_id": "c.country_id",
            "state_id": "c.state_id",
            "street": "c.street",
            "origination": _chosen(d, (("aws_referral", 2), ("partner", 2), ("inbound", 3), ("outbound", 3), ("AWS Referral", 1)), "origin"),
            "c_aws_am_name": d.maybe("am", 0.5, d.person("am")),
            "c_aws_psm_name": d.maybe("psm", 0.3, d.person("psm")),
            "c_aws_account_id": f"case when i % 500 = 122 then {accounts} + 1000 else lead.account end",
            "c_payer_account_id": d.link("payer", accounts, 0.15),
            "aws_ace_id": "w.o",
            "c_funding_request_id": d.link("funding", world.odoo["c_aws_funding_request"], 0.08),
            "c_aws_ace_awsAccountId": f"case when w.mode in (0, 1, 2) then {world.plain_account_number('lead.account')} end",
        }
        | filled
        | _audit(world, d),
    )  # fmt: skip


def _accounts(world: World) -> Filling:
    """Groups of twelve below a payer. Five of every 500 numbers are not what they should be."""
    d = world.draws("c_aws_accounts")
    company = world.company_of_account("i")
    number = world.plain_account_number("i")
    return Filling(
        "c_aws_accounts",
        f"{_series(world.odoo['c_aws_accounts'])} left join world_company c on c.k = {company}",
        {
            "active": f"not ({d.chance('archived', 0.05)})",
            "name": f"""case i % 500 when 13 then left({number}, 11) when 17 then 'TBD' when 23 then {world.plain_account_number("i - 1")}
                when 29 then left({number}, 4) || '-' || substr({number}, 5, 4) || '-' || right({number}, 4) when 34 then null
                else {number} end""",
            "c_aws_account_name": f"case when i % 500 = 37 then repeat('long account name ', 40) else c.stem || ' ' || {d.pick('env', ('prod', 'dev', 'staging', 'sandbox', 'shared'))} end",
            "c_aws_account_alias": d.maybe("alias", 0.6, "split_part(c.domain, '.', 1) || '-' || i"),
            "c_aws_company_id": f"case when i % 500 = 19 then 777777 else {world.partner_of_company('c.k')} end",
            "partner_id": d.maybe("partner", 0.7, world.partner_of_company("c.k")),
            "c_aws_primary_contact_id": d.link("contact", world.odoo["res_partner"], 0.6),
            "user_id": d.link("user", world.staff, 0.8),
            "company_id": "1",
            "is_payer": "i % 12 = 1",
            "payer_id": "case when i % 12 = 1 then null when i % 500 = 26 then 666666 when i % 500 = 28 then i - 1"
            " when i % 17 = 0 then null else i - (i - 1) % 12 end",
            "is_not_billable": f"case when {d.chance('billable known', 0.9)} then {d.chance('not billable', 0.08)} end",
            "account_status": _chosen(d, (("active", 8), ("suspended", 1), ("closed", 1), ("leaving", 1)), "status"),
            "root_email": "'aws-root+' || i || '@' || c.domain",
            "c_environment": _chosen(d, (("production", 5), ("staging", 2), ("development", 3), ("sandbox", 2)), "environment"),
            "c_aws_partition": _chosen(d, (("aws", 9), ("aws-us-gov", 1)), "partition"),
            "c_pod_opportunity_id": d.link("pod", world.odoo["crm_lead"], 0.05),
        }
        | _audit(world, d),
    )  # fmt: skip


def _funding(world: World) -> Filling:
    d = world.draws("c_aws_funding_request")
    lead = f"(1 + {d.number('lead', world.odoo['crm_lead'])})"
    asked = d.money("asked", 200000)
    return Filling(
        "c_aws_funding_request",
        f"{_series(world.odoo['c_aws_funding_request'])} left join world_company c on c.k = {world.company_of_lead(lead)}",
        {
            "active": f"not ({d.chance('archived', 0.05)})",
            "name": f"c.stem || ' ' || {d.pick('program', ('MAP Assess', 'MAP Mobilize', 'POC', 'MDF'))}",
            "c_apfp_ref": f"case when i <= {world.apn['funding_request']} then 'FR-' || lpad(i::text, 6, '0') end",
            "opportunity_id": lead,
            "partner_id": world.partner_of_company("c.k"),
            "company_id": "1",
            "currency_id": "1",
            "c_requested_amount": asked,
            "c_approved_amount": f"case when {d.chance('approved', 0.7)} then {asked} * 0.8 end",
            "c_apfp_stage": d.pick("stage", words.values_of("funding_stage")),
            "c_apfp_status": d.pick("status", words.values_of("funding_status")),
        }
        | _audit(world, d),
    )


def _orders(world: World) -> Filling:
    d = world.draws("sale_order")
    net = d.money("net", 120000)
    lead = f"(1 + {d.number('lead', world.odoo['crm_lead'])})"
    partner = world.partner_of_company(world.company_of_lead(lead))
    return Filling(
        "sale_order",
        _series(world.odoo["sale_order"]),
        {
            "name": "'S' || lpad(i::text, 5, '0')",
            "access_token": d.maybe("token", 0.4, f"md5('order' || {world.seed} || i)"),
            "state": _chosen(
                d, (("draft", 2), ("sent", 2), ("sale", 5), ("done", 2), ("cancel", 1)), "state"
            ),
            "date_order": d.moment("date_order", world.today, 1000),
            "opportunity_id": d.maybe("has lead", 0.7, lead),
            "partner_id": partner,
            "partner_invoice_id": partner,
            "partner_shipping_id": partner,
            "company_id": "1",
            "currency_id": "1",
            "pricelist_id": "1",
            "picking_policy": "'direct'",
            "warehouse_id": "1",
            "amount_untaxed": net,
            "amount_tax": f"round({net} * 0.0725, 2)",
            "amount_total": f"{net} + round({net} * 0.0725, 2)",
            "user_id": d.link("user", world.staff, 0.95),
            "team_id": d.link("team", world.odoo["crm_team"], 0.9),
        }
        | _audit(world, d),
    )


def _order_lines(world: World) -> Filling:
    d = world.draws("sale_order_line")
    price, quantity = d.money("price", 4000), f"(1 + {d.number('quantity', 40)})"
    section = d.chance("section", 0.06)
    return Filling(
        "sale_order_line",
        _series(world.odoo["sale_order_line"]),
        {
            "order_id": d.link("order", world.odoo["sale_order"]),
            "name": f"{d.pick('name', words.WORK)} || E'\\n' || {d.pick('name 2', words.SERVICES)}",
            "display_type": f"case when {section} then 'line_section' end",
            "product_id": f"case when not ({section}) then 1 + {d.number('product', world.odoo['product_template'])} end",
            "price_unit": f"case when {section} then 0 else {price} end",
            "product_uom_qty": f"case when {section} then 0 else {quantity} end",
            "price_subtotal": f"case when {section} then 0 else {price} * {quantity} end",
            "company_id": "1",
            "currency_id": "1",
            "state": _chosen(d, (("draft", 2), ("sale", 5), ("done", 2)), "state"),
            "customer_lead": "0",
            "sequence": "10 + i % 9",
        }
        | _audit(world, d),
    )


def _products(world: World) -> Filling:
    d = world.draws("product_template")
    return Filling(
        "product_template",
        _series(world.odoo["product_template"]),
        {
            "name": f"{d.pick('name', words.WORK)} || ' ' || i",
            "active": f"not ({d.chance('archived', 0.1)})",
            "detailed_type": "'service'",
            "type": "'service'",
            "categ_id": f"1 + {d.number('category', 9)}",
            "list_price": d.money("price", 5000),
            "uom_id": "1",
            "uom_po_id": "1",
            "sale_ok": "true",
            "c_aws_service_code": d.maybe("service", 0.5, d.pick("service", words.SERVICES)),
            "tracking": "'none'",
        }
        | _audit(world, d),
    )


def _moves(world: World) -> Filling:
    d = world.draws("account_move")
    net = d.money("net", 90000)
    day = d.day("date", world.today, 900)
    partner = world.partner_of_company(f"(1 + {d.number('company', world.companies)})")
    return Filling(
        "account_move",
        _series(world.odoo["account_move"]),
        {
            "name": f"'INV/' || to_char({day}, 'YYYY/MM') || '/' || lpad(i::text, 5, '0')",
            "sequence_number": "i",
            "date": day,
            "invoice_date": day,
            "invoice_period": f"to_char({day}, 'YYYY-MM')",
            "state": _chosen(d, (("posted", 8), ("draft", 1), ("cancel", 1)), "state"),
            "move_type": _chosen(d, (("out_invoice", 8), ("out_refund", 1), ("entry", 1)), "type"),
            "journal_id": "1",
            "company_id": "1",
            "currency_id": "1",
            "partner_id": partner,
            "commercial_partner_id": partner,
            "amount_untaxed": net,
            "amount_tax": "0",
            "amount_total": net,
            "payment_state": _chosen(d, (("paid", 6), ("not_paid", 3), ("partial", 1)), "payment"),
            "access_token": d.maybe("token", 0.3, f"md5('move' || {world.seed} || i)"),
            "c_aws_account_id": d.link("account", world.odoo["c_aws_accounts"], 0.5),
        }
        | _audit(world, d),
    )


def _move_lines(world: World) -> Filling:
    d = world.draws("account_move_line")
    amount = d.money("amount", 20000)
    debit = d.chance("side", 0.5)
    return Filling(
        "account_move_line",
        _series(world.odoo["account_move_line"]),
        {
            "move_id": d.link("move", world.odoo["account_move"]),
            "date": d.day("date", world.today, 900),
            "parent_state": "'posted'",
            "journal_id": "1",
            "company_id": "1",
            "company_currency_id": "1",
            "currency_id": "1",
            "account_id": f"1 + {d.number('account', 60)}",
            "name": d.maybe("named", 0.8, d.pick("name", words.WORK)),
            "quantity": f"1 + {d.number('quantity', 12)}",
            "debit": f"case when {debit} then {amount} else 0 end",
            "credit": f"case when {debit} then 0 else {amount} end",
            "balance": f"case when {debit} then {amount} else -{amount} end",
            "partner_id": d.maybe("partner", 0.8, world.partner_of_company(f"(1 + {d.number('company', world.companies)})")),
            "c_billing_bill_id": d.link("bill", world.odoo["c_billing_bill"], 0.2),
        }
        | _audit(world, d),
    )  # fmt: skip


def _projects(world: World) -> Filling:
    d = world.draws("project_project")
    lead = f"(1 + {d.number('lead', world.odoo['crm_lead'])})"
    return Filling(
        "project_project",
        f"{_series(world.odoo['project_project'])} left join world_company c on c.k = {world.company_of_lead(lead)}",
        {
            "name": f"c.stem || ': ' || {world.title_of_lead(lead)}",
            "active": f"not ({d.chance('archived', 0.1)})",
            "c_opportunity_id": d.maybe("has lead", 0.8, lead),
            "partner_id": world.partner_of_company("c.k"),
            "company_id": "1",
            "privacy_visibility": "'portal'",
            "access_token": d.maybe("token", 0.3, f"md5('project' || {world.seed} || i)"),
        }
        | _audit(world, d),
    )


def _period(world: World, d: Draws) -> dict[str, str]:
    """A month of the last three years, as text and as its first day."""
    day = d.day("period", world.today, 1000)
    return {
        "period": f"to_char({day}, 'YYYY-MM')",
        "period_date": f"date_trunc('month', {day})::date",
        "company_id": "1",
        "company_currency_id": "1",
    }


def _internal_cur(world: World) -> Filling:
    d = world.draws("c_billing_internal_cur")
    accounts = world.odoo["c_aws_accounts"]
    return Filling(
        "c_billing_internal_cur",
        _series(world.odoo["c_billing_internal_cur"]),
        {
            "payer_id": f"1 + ({d.number('payer', accounts)} / 12) * 12",
            "account_id": d.link("account", accounts),
            "service": d.pick("service", words.SERVICES),
            "charge_type": _chosen(d, (("Usage", 7), ("Tax", 1), ("Credit", 1), ("Fee", 1)), "charge"),
            # Six decimals and more, as cost reports have them.
            "cost": f"round(({d.unit('cost')} ^ 4 * 30000)::numeric, 10)",
        }
        | _period(world, d)
        | _audit(world, d),
    )


def _bills(world: World) -> Filling:
    d = world.draws("c_billing_bill")
    accounts = world.odoo["c_aws_accounts"]
    return Filling(
        "c_billing_bill",
        _series(world.odoo["c_billing_bill"]),
        {
            "partner_id": world.partner_of_company(f"(1 + {d.number('company', world.companies)})"),
            "payer_id": f"1 + ({d.number('payer', accounts)} / 12) * 12",
            "account_id": d.link("account", accounts),
            "cost": d.money("cost", 40000),
            "invoice_id": d.link("invoice", world.odoo["account_move"], 0.7),
            "is_not_billable": d.chance("not billable", 0.05),
            "state": _chosen(d, (("draft", 1), ("ready", 1), ("invoiced", 7), ("cancelled", 1)), "state"),
        }
        | _period(world, d)
        | _audit(world, d),
    )


def _bill_lines(world: World) -> Filling:
    d = world.draws("c_billing_bill_line")
    return Filling(
        "c_billing_bill_line",
        _series(world.odoo["c_billing_bill_line"]),
        {
            "bill_id": d.link("bill", world.odoo["c_billing_bill"]),
            "product_id": d.link("product", world.odoo["product_template"]),
            "uom_id": "1",
            "currency_id": "1",
            "date": d.day("date", world.today, 900),
            "line_type": _chosen(d, (("usage", 7), ("support", 1), ("discount", 1), ("credit", 1)), "type"),
            "usage": f"{d.unit('usage')} * 10000",
            "cost": d.money("cost", 9000),
        }
        | _audit(world, d),
    )


def _spp_bills(world: World) -> Filling:
    d = world.draws("c_billing_spp_bill")
    revenue = d.money("revenue", 40000)
    return Filling(
        "c_billing_spp_bill",
        _series(world.odoo["c_billing_spp_bill"]),
        {
            "payer_id": f"1 + ({d.number('payer', world.odoo['c_aws_accounts'])} / 12) * 12",
            "linked_account_id": d.link("linked", world.odoo["c_aws_accounts"]),
            "discounts_earned": text("SPP Base"),
            "total_eligible_revenue": revenue,
            "total_percentage_discount_earned": "'5%'",
            "total_discount_earned": f"round({revenue} * 0.05, 2)",
            "EUR_compliance": d.pick("compliance", ("Yes", "No", "Pending")),
        }
        | _period(world, d)
        | _audit(world, d),
    )
