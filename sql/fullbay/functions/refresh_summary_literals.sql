-- The four refresh functions under their published names and signatures: one key each, or all keys for null where that was printed.
-- They raise where the published ones stored a wrong row: no date, a month that does not exist, a blank VIN.
create or replace function fullbay.refresh_daily_summary(target_date date default current_date) returns void
language plpgsql as $$
begin
    if target_date is null then
        raise exception 'refresh_daily_summary: no date was given'
            using errcode = 'null_value_not_allowed',
                  hint = 'Give a date, or none at all for today; refresh_daily_summaries() rebuilds every day.';
    end if;
    perform fullbay.refresh_daily_summaries(array[target_date]);
end
$$;

create or replace function fullbay.refresh_monthly_summary(target_year integer, target_month integer) returns void
language plpgsql as $$
begin
    if target_year is null or target_month is null or target_year not between 1 and 9999 or target_month not between 1 and 12 then
        raise exception 'refresh_monthly_summary: there is no month % of the year %', target_month, target_year
            using errcode = 'invalid_parameter_value',
                  hint = 'Give a year and a month from 1 to 12, as in refresh_monthly_summary(2026, 10); '
                         'refresh_monthly_summaries() rebuilds every month.';
    end if;
    perform fullbay.refresh_monthly_summaries(array[make_date(target_year, target_month, 1)]);
end
$$;

create or replace function fullbay.refresh_customer_summary(target_customer_id integer default null) returns void
language plpgsql as $$
begin
    perform fullbay.refresh_customer_summaries(case when target_customer_id is not null then array[target_customer_id] end);
end
$$;

create or replace function fullbay.refresh_vehicle_summary(target_vin varchar(50) default null) returns void
language plpgsql as $$
begin
    if btrim(target_vin) = '' then
        raise exception 'refresh_vehicle_summary: the VIN is blank'
            using errcode = 'invalid_parameter_value',
                  hint = 'Lines without a VIN belong to no vehicle. Give a VIN, or none at all to rebuild every vehicle.';
    end if;
    perform fullbay.refresh_vehicle_summaries(case when target_vin is not null then array[target_vin::text] end);
end
$$;
