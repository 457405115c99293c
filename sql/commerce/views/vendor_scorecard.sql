-- One row per vendor, also without uploads: how good the files are, and how fast rejected rows come back right. Read only.
-- A correction is a row whose product was rejected before and not taken since: it is no first pass, whether it is right this time
-- (fixed) or wrong again (repeated). A row without a vendor_product_id cannot be recognised when it comes back.
create or replace view commerce.vendor_scorecard as
with uploads as (
    select
        h.vendor_id,
        count(*) as uploads,
        sum(h.total_records) as total_rows,
        sum(h.valid_records) as valid_rows,
        percentile_cont(0.5) within group (
            order by extract(epoch from coalesce((o.file_facts ->> 'held_answered_at')::timestamptz, o.finished_at) - o.last_modified)
        ) as seconds_to_answer
    from commerce.upload_history as h
    left join commerce.upload_objects as o on o.upload_id = h.upload_id
    where h.status <> 'processing'
    group by h.vendor_id
),
errors as (
    select
        e.vendor_id,
        e.vendor_product_id,
        e.error_type,
        e.upload_id,
        e.created_at,
        c.upload_id as corrected_by,
        c.corrected_at,
        coalesce(o.finished_at at time zone 'UTC', h.processing_completed_at) as answered_at,
        lag(e.upload_id) over same_product as upload_before,
        lag(c.corrected_at) over same_product as corrected_before
    from commerce.validation_errors as e
    join commerce.upload_history as h on h.upload_id = e.upload_id
    left join commerce.upload_objects as o on o.upload_id = e.upload_id
    left join commerce.corrected_errors as c on c.error_id = e.error_id
    window same_product as (partition by e.vendor_id, e.vendor_product_id order by e.error_id)
),
corrections as (
    select
        vendor_id,
        count(*) as rejected_rows,
        count(distinct (corrected_by, vendor_product_id)) filter (where corrected_by is not null) as fixed_rows,
        count(*) filter (
            where vendor_product_id is not null
                and upload_before <> upload_id
                and (corrected_before is null or corrected_before > created_at)
        ) as repeated_rows,
        count(distinct vendor_product_id) filter (where corrected_by is null) as products_waiting,
        percentile_cont(0.5) within group (order by extract(epoch from greatest(corrected_at - answered_at, interval '0')))
            filter (where corrected_by is not null) as seconds_to_fix
    from errors
    group by vendor_id
),
codes as (
    select vendor_id, jsonb_agg(jsonb_build_object('code', error_type, 'rows', rows) order by place) as commonest_codes
    from (
        select
            vendor_id,
            error_type,
            count(*) as rows,
            row_number() over (partition by vendor_id order by count(*) desc, error_type) as place
        from commerce.validation_errors
        group by vendor_id, error_type
    ) as counted
    where place <= 5
    group by vendor_id
)
select
    v.vendor_id,
    v.vendor_name,
    coalesce(u.uploads, 0) as uploads,
    coalesce(u.total_rows, 0) as total_rows,
    coalesce(u.valid_rows, 0) as valid_rows,
    coalesce(c.rejected_rows, 0) as rejected_rows,
    round(
        100.0 * (u.valid_rows - coalesce(c.fixed_rows, 0))
        / nullif(u.total_rows - coalesce(c.fixed_rows, 0) - coalesce(c.repeated_rows, 0), 0),
        2
    ) as first_pass_yield_percent,
    coalesce(codes.commonest_codes, '[]') as commonest_codes,
    coalesce(c.fixed_rows, 0) as fixed_rows,
    coalesce(c.products_waiting, 0) as products_waiting_for_correction,
    make_interval(secs => c.seconds_to_fix) as median_time_to_fix,
    make_interval(secs => u.seconds_to_answer) as median_time_to_answer
from commerce.vendors as v
left join uploads as u on u.vendor_id = v.vendor_id
left join corrections as c on c.vendor_id = v.vendor_id
left join codes on codes.vendor_id = v.vendor_id;
grant select on commerce.vendor_scorecard to analyst;
