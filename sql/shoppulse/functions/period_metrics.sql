-- The metrics of a span of days, both ends in it, for the user who asks: one row per metric and category. A ratio is that of the whole
-- span, not a mean of its days. Runs with the caller's rights; its names are bound when it is made, so no search_path changes it.
create or replace function shoppulse.period_metrics(p_first date, p_last date)
returns table (
    metric_name text, category text, value numeric, numerator numeric, denominator numeric, missing bigint, null_reason text
)
language sql stable parallel restricted
begin atomic
    select span.metric_name, span.category,
        case when span.reason is not null then null when span.denominator is null then span.numerator
        else round(span.numerator / nullif(span.denominator, 0), 6) end,
        span.numerator, span.denominator, span.missing,
        coalesce(span.reason,
                 case when span.denominator = 0 then case when span.missing > 0 then 'NOTHING_KNOWN' else 'ZERO_DENOMINATOR' end end)
    from (
        select m.metric_name, m.category::text as category, sum(m.numerator) as numerator, sum(m.denominator) as denominator,
            sum(m.missing)::bigint as missing, max(m.null_reason) as reason
        from shoppulse.tenant_daily_metrics as m
        where m.metric_date between p_first and p_last
        group by m.metric_name, m.category
        union all
        select m.metric_name, '', sum(m.numerator), sum(m.denominator), sum(m.missing)::bigint, max(m.null_reason)
        from shoppulse.campaign_metrics as m
        where m.metric_date between p_first and p_last
        group by m.metric_name
    ) as span;
end;
alter function shoppulse.period_metrics(date, date) owner to shoppulse_owner;
revoke all on function shoppulse.period_metrics(date, date) from public;
grant execute on function shoppulse.period_metrics(date, date) to shoppulse_app, shoppulse_reader, commerce_writer;
