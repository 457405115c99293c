-- AWS accounts of ACE opportunities that core.aws_accounts does not know. Result: one row; the examples count per column. Read only.
select count(*), count(*) filter (where wrong), 0, count(*) filter (where wrong),
    case when bool_or(wrong) then array['aws_account_name: ' || count(*) filter (where wrong)] end
from (select aws_account is not null and aws_account_name is null as wrong from core.ace_opportunities) as opportunity
