-- Text as CORE keeps it. Single expressions without "strict", so that the planner puts them in place of the call.

-- What AWS masks until a referral is accepted is unknown.
create or replace function core.unmasked(value text) returns text
language sql immutable parallel safe
return case when octet_length(value) between 14 and 100 and value ~* '^\s*accept\s+to\s+view\s*$' then null else value end;

-- The first characters of a text, blanks and line ends made single blanks; null when nothing is left. Looks for what is not a
-- single blank already: replacing each blank by itself took seven times as long.
create or replace function core.one_line(value text, characters integer) returns text
language sql immutable parallel safe
return nullif(btrim(regexp_replace(left(value, characters), '\s{2,}|[^\S ]', ' ', 'g')), '');
