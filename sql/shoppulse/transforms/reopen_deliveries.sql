-- Refused files wait again: those of tenants that were unknown or not active and now are there, or all that are asked for by hand.
-- Result: the number.
with reopened as (
    update shoppulse.delivery_objects d
    set stage = 'seen', failure_code = null, failure_message = null, finished_at = null, requested_at = null
    where d.stage = 'refused'
      and (%(tenant_id)s is null or d.tenant_id = %(tenant_id)s)
      and (%(by_hand)s or (d.failure_code in ('UNKNOWN_TENANT', 'INACTIVE_TENANT')
           and exists (select from shoppulse.tenants t where t.tenant_id = d.tenant_id and t.is_active)))
    returning 1
)
select count(*) from reopened;
