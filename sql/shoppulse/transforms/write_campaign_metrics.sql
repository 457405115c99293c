-- The computed cells, in the order of their key; only those that differ are written. Re-runnable.
with written as (
    insert into shoppulse.campaign_metrics as kept
        (tenant_id, metric_date, metric_name, channel, numerator, denominator, missing, null_reason)
    select tenant_id, metric_date, metric_name, channel, numerator, denominator, missing, null_reason
    from fresh_metrics
    order by tenant_id, metric_date, metric_name, channel
    on conflict (tenant_id, metric_date, metric_name, channel) do update
        set numerator = excluded.numerator, denominator = excluded.denominator,
            missing = excluded.missing, null_reason = excluded.null_reason
        where (kept.numerator, kept.denominator, kept.missing, kept.null_reason)
            is distinct from (excluded.numerator, excluded.denominator, excluded.missing, excluded.null_reason)
    returning 1
)
select count(*) from written
