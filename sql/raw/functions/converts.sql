-- Whether a text can become a value of a type with nothing lost: "1.5" is no integer, a time of day no date, 1.234 no numeric(18,2).
-- Null converts. Re-runnable.
create or replace function raw.converts(p_value text, p_type text) returns boolean
    language plpgsql
    stable
    parallel safe
as $$
declare
    v_exact boolean;
begin
    if p_value is null then
        return true;
    end if;
    -- The name is an expression on purpose: a bare parameter is taken for a constant, and the type of the first call would
    -- stand for every later one of the transaction.
    if not pg_input_is_valid(p_value, p_type || '') then
        return false;
    end if;
    if p_type = 'date' then
        return p_value !~ '\d:\d' or p_value ~ ' 00:00:00(\.0+)?(\+00)?$';
    end if;
    if p_type like 'numeric(%' then
        execute format('select $1::numeric = $1::%s', p_type) into v_exact using p_value;
        return v_exact;
    end if;
    return true;
end
$$;
grant execute on function raw.converts (text, text) to odoo_apn_writer;
