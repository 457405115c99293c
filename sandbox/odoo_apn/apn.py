"""How the tables of the APN source are filled: ACE opportunities in every state of their life, end customers, funding.

Most rows obey the validation rules of Partner Central and of the money; the odd rows break each rule once or twice.
"""

from __future__ import annotations

from sandbox.odoo_apn import words
from sandbox.odoo_apn.expressions import texts
from sandbox.odoo_apn.odoo import OWN_DOMAIN, Filling
from sandbox.odoo_apn.world import World

MASK = "'Accept To View'"
SQLX = (
    ("20230110093000", "create tables"),
    ("20240305141500", "add aws stage"),
    ("20250922080000", "next step history"),
)
PATHS = (
    ("Created", "AWS Review", "Tech Approval", "Business Approval", "Finance Approval", "Pre-Approval", "Cash Claim", "Completed"),
    ("Created", "Business Approval", "Created", "Business Approval", "Finance Approval", "Cash Claim", "Completed"),
    ("Created", "Business Approval", "Finance Approval", "Cash Claim", "Completed"),
)  # fmt: skip
"""Ways through the funding lifecycle; the second was sent back once."""


def fillings(world: World) -> list[Filling]:
    """All tables of the APN source, in an order that its foreign keys accept."""
    return [one(world) for one in (_users, _opportunities, _end_users, _requests, _claims, _history)]


def preparations(world: World) -> list[str]:
    """The temporary tables that several of the fillings read."""
    return [_facts(world), "analyze ace_fact", _request_facts(world), _claim_facts(world)]


def migrations() -> str:
    """The rows of _sqlx_migrations."""
    values = ", ".join(
        f"({version}, '{name}', timestamptz '2023-01-10 09:30:00+00', true, '\\x00ff'::bytea, 120000)"
        for version, name in SQLX
    )
    return f"insert into _sqlx_migrations values {values}"


def _users(world: World) -> Filling:
    d = world.draws("users")
    name = f"({d.person('name')})"
    return Filling(
        "users",
        f"generate_series(1::bigint, {world.apn['users']}) as i",
        {
            "id": _user("i"),
            "name": name,
            "email": f"translate(lower(replace({name}, ' ', '.')), 'öáëéü''', 'oaeeu') || '@{OWN_DOMAIN}'",
            "role": d.pick("role", words.values_of("user_role")),
            "is_active": "i % 6 <> 0",
            "create_ts": f"{d.moment('created', world.today, 1500)} at time zone 'UTC'",
        },
    )


def _user(number: str) -> str:
    return f"('U' || lpad(({number})::text, 5, '0'))"


def _facts(world: World) -> str:
    """What decides about an ACE opportunity: who brought it, how far it is, whether it is masked."""
    d = world.draws("ace_fact", "o")
    stages = words.values_of("stage")
    stage = texts([s for s, n in zip(stages, (3, 3, 2, 2, 1, 3, 2), strict=True) for _ in range(n)])
    states = ("Approved",) * 8 + (
        "Submitted",
        "In review",
        "Pending Submission",
        "Rejected",
        "Action Required",
    )
    answers = ("Accepted",) * 6 + ("Pending", "Pending", "Rejected", "Expired")
    return f"""
create temp table ace_fact on commit drop as
with first as (
    select w.*, mode >= 6 and {d.chance("referral", 0.6)} as is_referral, {d.pick("state", states)} as state,
        {d.pick("answer", answers)} as answer, ({stage})[1 + {d.number("stage", 16)}] as drawn_stage
    from world_ace w
)
select o, mode, lead, company, account, is_referral,
    case when is_referral then null else state end as status,
    case when is_referral then answer end as acceptance,
    is_referral and answer <> 'Accepted' as is_masked,
    case
        when is_referral and answer <> 'Accepted' then 'Prospect'
        when not is_referral and state <> 'Approved' then 'Qualified'
        else drawn_stage
    end as stage,
    {d.moment("created", world.today, 1100)} as created
from first
"""


def _opportunities(world: World) -> Filling:
    d = world.draws("opportunity")
    lead = "f.lead"
    title = f"coalesce({world.title_of_lead(lead)}, {d.pick('title', words.WORK)})"
    first, last = d.pick("first", words.FIRST_NAMES), d.pick("last", words.LAST_NAMES)
    mail = f"translate(lower({first} || '.' || {last}), 'öáëéü'' ', 'oaeeu')"
    number = world.plain_account_number("f.account")

    def masked(value: str) -> str:
        return (
            f"case when f.is_masked and f.o % 3 = 0 then null when f.is_masked then {MASK} else {value} end"
        )

    def hidden(value: str) -> str:
        return f"case when not f.is_masked then {value} end"

    def drift(name: str, share: float, value: str | None = None) -> str:
        drawn = value or d.pick(name, words.values_of(name))
        return f"case when {d.chance(name + ' drift', share)} then {d.pick(name, words.drifted(name))} else {drawn} end"

    def several(name: str, share: float = 1.0) -> str:
        values = words.values_of(name)
        joined = f"{d.pick(name, values[:-1])} || case when {d.chance(name + ' two', 0.5)} then ';' || {d.pick(name + ' 2', values[:-1])} else '' end"
        return d.maybe(name, share, joined)

    kind = d.pick("type", words.values_of("opportunity_type"))
    lost = "f.stage = 'Closed Lost'"
    marketing = f"({d.chance('known', 0.9)} and {d.chance('marketing', 0.2)})"
    partner = "not f.is_referral"
    columns = {
        "id": world.ace_id("f.o"),
        "name": "c.ace_name",
        "account_name": f"case when {d.chance('account name', 0.95)} then c.ace_name end",
        "partner_project_title": f"case when f.o % 500 <> 8 then {title} end",
        "project_description_business_need": f"case f.o % 500 when 9 then 'Too short' else {d.sentences('problem')} || ' ' || {title} end",
        "opportunity_type": kind,
        "opportunity_ownership": f"case when f.is_referral then case when {d.chance('ao', 0.1)} then 'AWS Originated' else 'AWS Referral' end"
        f" else case when {d.chance('po', 0.1)} then 'Partner Originated' else 'Partner Referral' end end",
        # Blank or repeated ids are the normal disease of this column.
        "partner_crm_unique_identifier": "case when f.mode in (0, 1) then f.lead::text when f.o % 500 in (46, 47) then '1'"
        " when f.mode = 4 and f.o % 3 = 0 then '' end",
        "parent_opportunity_id": f"case when f.o > 1 and ({kind} = 'Flat Renewal' and f.o % 500 <> 48 or {d.chance('parent', 0.05)})"
        f" then {world.ace_id('(f.o - least(f.o - 1, 7))')} end",
        "owner_id": f"case when {d.chance('owner', 0.95)} then {_user('1 + ' + d.number('owner', world.apn['users']))} end",
        "customer_name": masked(f"{first} || ' ' || {last}"),
        "customer_first_name": masked(first),
        "customer_last_name": masked(last),
        "customer_title": masked(d.pick("job", words.JOB_TITLES)),
        "customer_email": masked(
            f"case case when f.mode = 5 then 1 else {d.number('mail', 20)} end when 0 then null when 1 then {mail} || '@' || {d.pick('free', words.FREE_MAIL)}"
            f" when 2 then upper({mail} || '@' || c.domain) else {mail} || '@' || c.domain end"
        ),
        "customer_phone": masked("case f.o % 500 when 11 then '555-0100' when 12 then '+0 12' else c.phone end"),
        # What is to be found by its name alone has neither a site nor an address of its own.
        "customer_website": "case when f.mode = 5 then null when f.mode = 4 and f.o % 500 <> 44 then 'https://www.' || c.domain else c.ace_website end",
        "customer_duns": hidden(
            f"case when f.o % 500 = 15 then left(c.duns, 7) when {d.chance('duns', 0.4)} then c.duns end"
        ),
        "industry": drift("industry", 0.1, "c.industry"),
        "industry_other": "case when c.industry = 'Other' and f.o % 500 <> 16 then 'Municipal zoo' end",
        "street_address": masked("c.street"),
        "city": masked("c.city"),
        "state": f"case when c.country_code = 'US' and f.o % 500 <> 18 then ({texts([name for _, _, name in words.STATES])})[c.state_id]"
        f" when {d.chance('state', 0.5)} then ({texts([name for _, _, name in words.STATES])})[c.state_id] end",
        "postal_code": masked("case f.o % 500 when 24 then 'ABC' when 43 then '??' else c.postal_code end"),
        "country": "c.country",
        # Launched deals need an account; numbers lose their zeros, people type what they like.
        "aws_account": masked(
            f"case when f.o % 500 = 21 then null when f.o % 500 = 22 then ltrim({number}, '0') when f.o % 500 = 25 then 'tbd'"
            f" when f.mode in (4, 5) then case when f.stage = 'Launched' and f.o % 2 = 0 then {world.plain_account_number('900000 + f.o')} end"
            f" else coalesce({number}, case when f.stage = 'Launched' then {world.plain_account_number('800000 + f.o')} end) end"
        ),
        "national_security": f"c.industry = 'Government' and {d.chance('security', 0.2)} or f.o % 500 = 27",
        "project_budget": f"case when f.o % 500 = 28 then 0 else 100 + {d.money('budget', 80000)} end",
        "use_case": drift("use_case", 0.08),
        "delivery_model": several("delivery_model"),
        "solution_offered": f"case when f.o % 500 = 33 then array['Solution 7'] when f.stage in ('Committed', 'Launched') and f.o % 500 <> 34"
        f" or {d.chance('solution', 0.6)} then array['S-' || lpad((1 + {d.number('solution', 40)})::text, 7, '0')] end",
        "other_solution_offered": f"case when f.o % 500 not in (34, 49) and (not ({d.chance('solution', 0.6)}) or {d.chance('other solution', 0.2)})"
        f" then {d.pick('other solution', words.WORK)} end",
        "aws_products": d.maybe("products", 0.7, f"array[{d.pick('p1', words.SERVICES)}, {d.pick('p2', words.SERVICES)}]"),
        "sales_activities": several("sales_activities"),
        "apn_programs": several("apn_programs", 0.3),
        "competitive_tracking": d.maybe("competition", 0.4, d.pick("competition", words.values_of("competitive_tracking"))),
        "additional_comments": f"left({d.maybe('comments', 0.4, d.sentences('comments'))}, 255)",
        "partner_primary_need_from_aws": "case when f.o % 500 = 35 then 'Do Not Need Support from AWS Sales Rep;Co-Sell - Deal Support'"
        f" else {several('partner_primary_need_from_aws')} end",
        "aws_involvement_type": d.pick("involvement", words.values_of("aws_involvement_type")),
        "stage_name": "f.stage",
        "status": "case when f.status = 'Pending Submission' and f.o % 2 = 0 then 'Draft' else f.status end",
        # The copy that the partner holds lags behind what AWS reports.
        "aws_status": f"case when f.status is not null and {d.chance('lost sync', 0.05)} then 'Submitted' else f.status end",
        "aws_stage": f"case when {d.chance('aws stage', 0.6)} then f.stage else {d.pick('aws stage', words.values_of('aws_stage'))} end",
        "partner_acceptance_status": f"case when {d.chance('upper', 0.1)} then upper(f.acceptance) else f.acceptance end",
        "accept_by": f"case when f.is_referral then case when f.acceptance = 'Pending' then {world.today}::timestamp"
        f" + ({d.number('accept by', 9)} - 1) * interval '1 day' else f.created + interval '5 days' end end",
        "rejection_reason": f"case when f.acceptance = 'Rejected' and f.o % 7 <> 0 then {d.pick('rejection', words.values_of('rejection_reason'))} end",
        "apn_reviewer_comments": f"case when f.status in ('Rejected', 'Action Required') then {d.sentences('review')} end",
        "closed_lost_reason": f"case when {lost} and f.o % 11 <> 0 then {drift('closed_lost_reason', 0.2)} end",
        "aws_closed_lost_reason": f"case when {lost} then {d.pick('aws lost', words.values_of('aws_closed_lost_reason'))} end",
        "next_step": f"left({d.maybe('next', 0.7, d.sentences('next'))}, 255)",
        "next_step_history": d.maybe("history", 0.5, f"jsonb_build_array(jsonb_build_object('date', f.created::date, 'note', {d.pick('past', words.SENTENCES)}))"),
        "close_date": f"(f.created::date + 20 + {d.number('close', 400)}::integer)",
        "aws_close_date": d.maybe("aws close", 0.5, f"(f.created::date + 30 + {d.number('aws close', 420)}::integer)"),
        "is_opp_from_marketing_activity": f"case when {d.chance('known', 0.9)} then {marketing} end",
        "marketing_campaign_name": f"case when {marketing} or f.o % 500 = 36 then 'CMP-' || {d.number('campaign', 90)} end",
        "is_marketing_development_funded": f"case when {marketing} then {d.chance('mdf', 0.3)} end",
        "partner_sales_rep_name": f"case when {partner} or not f.is_masked then {d.person('rep')} end",
        "partner_sales_rep_email": f"case when {partner} or not f.is_masked then 'rep.' || {d.number('rep mail', 30)} || '@{OWN_DOMAIN}' end",
        "aws_sales_rep_name": d.maybe("aws rep", 0.6, d.person("aws rep")),
        "aws_sales_rep_email": d.maybe("aws rep", 0.6, f"'seller' || {d.number('aws rep mail', 500)} || '@amazon.example'"),
        "psm_name": d.maybe("psm", 0.6, d.person("psm")),
        "psm_email": d.maybe("psm", 0.6, f"'psm' || {d.number('psm mail', 40)} || '@amazon.example'"),
        "pdm_name": d.maybe("pdm", 0.4, d.person("pdm")),
        "pdm_email": d.maybe("pdm", 0.4, f"'pdm' || {d.number('pdm mail', 40)} || '@amazon.example'"),
        "aws_create_date": "f.created",
        # The feed rounds to seconds, and Partner Central changes many rows at once.
        "aws_last_modified_date": f"case when f.o % 500 = 38 then null when f.o % 10 = 3 then greatest({world.today}::timestamp - interval '30 days', f.created)"
        f" else date_trunc('second', f.created + ({world.today} - f.created) * {d.unit('modified')}) end",
    }  # fmt: skip
    return Filling(
        "opportunity",
        "(select o as i, * from ace_fact) f left join world_company c on c.k = f.company",
        columns,
    )


def _end_users(world: World) -> Filling:
    """The first ones are the customers of launched deals, the others accounts without a deal."""
    d = world.draws("end_user")
    number = world.plain_account_number("coalesce(f.account, i)")
    return Filling(
        "end_user",
        f"""generate_series(1::bigint, {world.apn["end_user"]}) as i
        left join (
            select row_number() over (order by o) as nth, o, company, account from ace_fact where stage = 'Launched'
        ) f on f.nth = i
        left join world_company c on c.k = coalesce(f.company, 1 + {d.number("company", world.companies)})""",
        {
            "id": "'EU' || lpad(i::text, 6, '0')",
            "account_name": "c.stem || ' ' || i",
            "company_name": "c.ace_name",
            "website": "c.ace_website",
            "duns_number": f"case when i % 500 = 6 then '12-345' when {d.chance('duns', 0.6)} then c.duns end",
            "city": "c.city",
            "state": f"({texts([name for _, _, name in words.STATES])})[c.state_id]",
            "postal_code": "case when i % 500 = 7 then '??' else c.postal_code end",
            "country": "c.country",
            "aws_account_id": f"case i % 500 when 9 then left({number}, 9) when 10 then null else {number} end",
            "payer_account_id": world.plain_account_number(
                f"1 + ({d.number('payer', world.odoo['c_aws_accounts'])} / 12) * 12"
            ),
            "usage_type": f"case when {d.chance('upper', 0.1)} then {d.pick('usage', words.drifted('usage_type'))} else {d.pick('usage', words.values_of('usage_type'))} end",
            "sector": d.pick("sector", words.values_of("sector")),
            "is_government": d.chance("government", 0.1),
            "government_advising": d.chance("advising", 0.03),
            "opportunity_id": f"case when f.o is not null then {world.ace_id('f.o')} end",
            "status": d.pick("status", words.values_of("end_user_status")),
            "start_date": d.day("start", world.today, 1200),
        },
    )  # fmt: skip


def _request_facts(world: World) -> str:
    """The stage that a request has reached follows from its history: step n goes from path[n] to path[n + 1], then it stays."""
    d = world.draws("request_fact", "f")
    requests, events = world.apn["funding_request"], world.apn["funding_request_history"]
    path = " ".join(f"when {n} then {texts(list(p))}" for n, p in enumerate(PATHS))
    approved = d.money("approved", 120000)
    return f"""
create temp table request_fact on commit drop as
with first as (
    select f, case {d.number("path", len(PATHS))} {path} end as path,
        {events} / {requests} + case when f <= {events} % {requests} then 1 else 0 end as steps,
        1000 + {approved} as approved, round({d.money("credit", 30000)}, 2) as credit,
        {d.day("start", world.today, 700)} as starts, 1 + {d.number("opportunity", world.apn["opportunity"])} as o,
        {d.pick("type", words.values_of("funding_type"))} as funding_type, {d.pick("currency", ("USD", "USD", "USD", "EUR"))} as currency
    from generate_series(1::bigint, {requests}) as f
), second as (
    select *, least(steps, 1 + {d.number("reach", 7)}, cardinality(path) - 1) as last_step from first
)
select *, path[1 + last_step] as stage from second
"""


def _claim_facts(world: World) -> str:
    """Milestones of a request share its approved cash; those not yet submitted have no claimed amount."""
    d = world.draws("claim_fact", "q")
    claims, requests = world.apn["cash_claim"], world.apn["funding_request"]
    return f"""
create temp table claim_fact on commit drop as
with first as (
    select q, 1 + (q - 1) % {requests} as f, 1 + (q - 1) / {requests} as milestone, {d.number("stage", 6)} as step
    from generate_series(1::bigint, {claims}) as q
), second as (
    select c.*, r.currency, r.starts, round(r.approved / count(*) over (partition by c.f) - 0.005, 2) as planned
    from first c join request_fact r on r.f = c.f
)
select *,
    case when step >= 1 then round(planned * (0.5 + {d.unit("claimed")} / 2)::numeric, 2) end as claimed
from second
"""


def _requests(world: World) -> Filling:
    d = world.draws("funding_request")
    approved = "f.approved"
    sums = "(select f, sum(claimed) as claimed, sum(case when step >= 5 then claimed end) as paid from claim_fact group by f)"
    claimed = f"case when i % 500 = 14 then {approved} + 1000 else coalesce(s.claimed, 0) end"
    requested = f"(f.approved + {d.money('cut', 5000)})"
    return Filling(
        "funding_request",
        f"""(select f as i, * from request_fact) f left join {sums} s on s.f = f.i
        join ace_fact a on a.o = f.o left join world_company c on c.k = a.company""",
        {
            "id": _request("f.i"),
            "name": f"c.stem || ' ' || {d.pick('title', words.WORK)}",
            "business_description": d.sentences("business"),
            "program": f"case when {d.chance('short', 0.15)} then {d.pick('program', words.drifted('funding_program'))} else {d.pick('program', words.values_of('funding_program'))} end",
            "sub_program": d.maybe("sub", 0.5, d.pick("sub", words.values_of("funding_sub_program"))),
            "funding_motion": d.pick("motion", words.values_of("funding_motion")),
            "funding_type": "case when f.i % 9 = 0 then 'CASH' else f.funding_type end",
            "activity_type": d.pick("activity", words.values_of("funding_activity_type")),
            "stage": "f.stage",
            "status": "case when f.stage = 'Completed' then 'Completed' when f.i % 13 = 0 then 'Expired' when f.i % 17 = 0 then 'Terminated' else 'Active' end",
            "application_status": d.pick("application", words.values_of("benefit_application_status")),
            "benefit_id": "'ben-' || left(md5('ben' || f.i % 7), 14)",
            "benefit_application_id": "case when f.i % 500 = 4 then 'benappl-XYZ' else 'benappl-' || left(md5('appl' || f.i), 14) end",
            "revision": "'1'",
            "opportunity_id": f"case when f.i % 500 <> 5 then {world.ace_id('f.o')} end",
            "parent_funding_request_id": f"case when f.i > 3 and {d.chance('parent', 0.1)} then {_request('f.i - 2')} end",
            "owner_id": _user("1 + " + d.number("owner", world.apn["users"])),
            "end_user_id": f"case when {d.chance('end user', 0.4)} then 'EU' || lpad((1 + {d.number('end user', world.apn['end_user'])})::text, 6, '0') end",
            "partner_reference": "'AFR' || f.i",
            "partner_contact_name": d.person("contact"),
            "partner_contact_email": f"'funding@{OWN_DOMAIN}'",
            "customer_name": "c.ace_name",
            "customer_website": "c.ace_website",
            "customer_country": "c.country",
            "customer_aws_account": world.plain_account_number("coalesce(a.account, 700000 + f.i)"),
            "currency": "f.currency",
            "exchange_rate": "case when f.currency = 'USD' then 1 else 1.084215 end",
            "total_project_cost": f"{requested} * 2",
            "requested_cash_amount": requested,
            "requested_credit_amount": "f.credit",
            "requested_amount": f"case when f.i % 500 = 16 then {requested} else {requested} + f.credit end",
            "approved_cash_amount": approved,
            "approved_credit_amount": "round(f.credit * 0.9, 2)",
            "claimed_amount": claimed,
            "paid_amount": "case when f.i % 500 = 18 then coalesce(s.claimed, 0) + 1 else coalesce(s.paid, 0) end",
            "remaining_amount": f"case when f.i % 500 = 20 then {approved} else {approved} - ({claimed}) end",
            "allocation_id": "'benalloc-' || left(md5('alloc' || f.i), 14)",
            "purchase_order_number": "case when f.stage in ('Cash Claim', 'Completed') then 'PO' || 4000000 + f.i end",
            "planned_start_date": "f.starts",
            "planned_end_date": "f.starts + 120",
            "claim_due_date": "f.starts + 150",
            "expiration_date": "f.starts + 150",
            "submission_date": "f.starts::timestamp - interval '30 days'",
            "rejection_reason": f"case when f.path[3] = 'Created' then {d.sentences('why')} end",
            "attachments": "case when f.i % 3 = 0 then jsonb_build_array(jsonb_build_object('name', 'sow-' || f.i || '.pdf', 'type', 'application/pdf')) end",
        },
    )  # fmt: skip


def _request(number: str) -> str:
    return f"('FR-' || lpad(({number})::text, 6, '0'))"


def _claim(number: str) -> str:
    return f"('CC-' || lpad(({number})::text, 6, '0'))"


def _claims(world: World) -> Filling:
    d = world.draws("cash_claim")
    stages, states = words.values_of("claim_stage"), words.values_of("claim_status")
    return Filling(
        "cash_claim",
        "(select q as i, * from claim_fact) q",
        {
            "id": _claim("q.i"),
            "funding_request_id": _request("q.f"),
            "name": "'Milestone ' || q.milestone",
            "milestone_number": "q.milestone",
            "description": d.sentences("description"),
            "stage": f"({texts(stages)})[1 + q.step]",
            "status": f"case when q.step = 0 then '{states[0]}' when q.step < 3 then '{states[1]}' when q.step = 5 then '{states[5]}' else '{states[2]}' end",
            "currency": "case when q.i % 500 = 12 then 'JPY' else q.currency end",
            "planned_amount": "q.planned",
            "claimed_amount": "q.claimed",
            "approved_amount": "case when q.step >= 3 then case when q.i % 500 = 17 then q.claimed - 1 else q.claimed end end",
            "paid_amount": "case when q.step >= 5 then q.claimed when q.i % 500 = 25 then q.planned * 2 end",
            "planned_start_date": "case when q.i % 500 = 22 then q.starts - 60 else q.starts + (q.milestone::integer - 1) * 30 end",
            "planned_end_date": "q.starts + q.milestone::integer * 30",
            "actual_start_date": "case when q.step >= 1 then q.starts + (q.milestone::integer - 1) * 30 end",
            "actual_end_date": "case when q.step >= 1 then q.starts + q.milestone::integer * 30 end",
            "claim_due_date": "q.starts + q.milestone::integer * 30 + 30",
            "submission_date": "case when q.step >= 1 then (q.starts + q.milestone::integer * 30 + 3)::timestamp end",
            "approval_date": "case when q.step >= 3 then (q.starts + q.milestone::integer * 30 + 9)::timestamp end",
            "invoice_number": "case when q.step >= 4 and q.i % 9 <> 0 then 'INV-' || 7000 + q.i end",
            "invoice_date": "case when q.step >= 4 then q.starts + q.milestone::integer * 30 + 10 end",
            "invoice_status": "case q.step when 5 then 'Paid' when 4 then 'Submitted' else 'Not Submitted' end",
            "payment_date": "case when q.step >= 5 then q.starts + q.milestone::integer * 30 + 40 end",
            "rejection_reason": d.maybe("rejected", 0.05, d.sentences("rejected")),
        },
    )  # fmt: skip


def _history(world: World) -> Filling:
    """An unbroken chain for each request, but for one event of every 500 that ends elsewhere than the next one begins."""
    d = world.draws("funding_request_history")
    events, requests = world.apn["funding_request_history"], world.apn["funding_request"]
    return Filling(
        "funding_request_history",
        f"""(
            select h as i, 1 + (h - 1) % {requests} as request, 1 + (h - 1) / {requests} as step
            from generate_series(1::bigint, {events}) as h
        ) h join request_fact r on r.f = h.request""",
        {
            "id": "'H' || lpad(h.i::text, 8, '0')",
            "funding_request_id": _request("h.request"),
            "cash_claim_id": f"case when r.path[1 + h.step] = 'Cash Claim' and h.request <= {world.apn['cash_claim']} then {_claim('h.request')} end",
            "date": f"r.starts::timestamp - interval '30 days' + h.step * interval '6 days' + {d.unit('hour')} * interval '8 hours'",
            "step_name": "r.path[1 + least(h.step, r.last_step)]",
            "action": "case when h.step > r.last_step then 'Amended' when r.path[1 + h.step] = 'Created' then 'Rejected'"
            " when h.step = 1 then 'Submitted' else 'Approved' end",
            "status": "case when h.step > r.last_step then 'Completed' when r.path[1 + h.step] = 'Created' then 'Rejected' else 'Approved' end",
            "from_stage": "r.path[1 + least(h.step - 1, r.last_step)]",
            "to_stage": "case when h.i % 500 = 30 then 'Finance Approval' else r.path[1 + least(h.step, r.last_step)] end",
            "assigned_to": "'Queue ' || r.path[1 + least(h.step, r.last_step)]",
            "actual_approver": d.maybe("approver", 0.7, d.person("approver")),
            "user_id": f"case when {d.chance('user', 0.5)} then {_user('1 + ' + d.number('user', world.apn['users']))} end",
            "comments": d.maybe("comments", 0.4, d.sentences("comments")),
            "changes": d.maybe("changes", 0.3, "jsonb_build_array(jsonb_build_object('FieldPath', '/stage', 'NewValue', r.stage))"),
        },
    )  # fmt: skip
