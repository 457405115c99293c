-- The instant of a shop-local "YYYY-MM-DD HH:MM:SS"; null for null, blank, 0000-00-00 and every other text that is no such time.
-- The zone is the setting fullbay.time_zone of the session ("set fullbay.time_zone = 'America/Chicago'"), New York when it is unset.
create or replace function fullbay.shop_timestamp(p_text text) returns timestamptz
language sql stable as $$
    select case
        when p_text ~ '^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$' and pg_input_is_valid(p_text, 'timestamp') then
            p_text::timestamp
                at time zone coalesce(nullif(current_setting('fullbay.time_zone', true), ''), 'America/New_York')
    end
$$;
