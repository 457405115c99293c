-- What the catalogue decided about an upload's rows stands beside the staged rows, not in them: writing a million wide rows a
-- second time took as long as reading, checking and copying them in.

-- A valid row keeps the vendor's cells as one text, in the order of his header: making jsonb of them was half of the COPY.
alter table commerce.staged_rows
    add column cells text,  -- joined by chr(31); null where original_data has the row (rejected by the rules, or a cell with chr(31))
    drop column changes;

-- One row per row of an applied upload whose verdict is not the upload's commonest one. Grain and key: upload_id, row_number.
-- The commonest verdict and all counts stand in upload_history.metadata under `applied`. Deleted with the staged rows.
create table commerce.row_outcomes (
    upload_id varchar(100) not null,
    row_number integer not null,
    verdict varchar(10) not null,
    codes text[],  -- as in staged_rows, of a rejected row
    fields text[],
    messages text[],
    fixes text[],
    constraint row_outcomes_pkey primary key (upload_id, row_number),
    constraint row_outcomes_verdict_known check (verdict in ('accepted', 'updated', 'unchanged', 'rejected'))
);

-- What became of the rows of an upload that is being worked on: rules and catalogue together. Grain: upload_id, row_number.
create view commerce.upload_rows as
select
    s.upload_id,
    s.row_number,
    s.record_id,
    -- valid or rejected after the rules; accepted, updated, unchanged or rejected after the catalogue.
    coalesce(
        o.verdict,
        case when s.verdict = 'valid' then h.metadata -> 'applied' ->> 'commonest' end,
        s.verdict
    ) as verdict,
    s.vendor_product_id,
    s.sku,
    coalesce(o.codes, s.codes) as codes,
    coalesce(o.fields, s.fields) as fields,
    coalesce(o.messages, s.messages) as messages,
    coalesce(o.fixes, s.fixes) as fixes,
    s.warnings,
    coalesce(
        s.original_data,
        jsonb_object(
            array(select jsonb_array_elements_text(h.metadata -> 'header')),
            string_to_array(s.cells, chr(31))
        )
    ) as original_data,  -- the vendor's header -> text as it came; a ragged row is {"_cells": [...]}
    (
        select jsonb_object_agg(name, jsonb_build_array(c.before ->> name, c.after ->> name))
        from commerce.product_changes as c
        cross join lateral jsonb_object_keys(c.after) as name
        where c.upload_id = s.upload_id and c.vendor_product_id = s.vendor_product_id and c.kind = 'update'
    ) as changes  -- of an updated row: {"price": ["9.99", "10.99"]}
from commerce.staged_rows as s
join commerce.upload_history as h on h.upload_id = s.upload_id
left join commerce.row_outcomes as o on o.upload_id = s.upload_id and o.row_number = s.row_number;

-- Since this revision an `insert` in product_changes has neither before nor after: what came is the product as it is, less what later
-- entries say.
comment on column commerce.product_changes.after is
    'the changed columns as they became; null for an insert and when there is no product any more';

-- The function is called only where it has something to do: a call for each of a million new products is a tenth of writing them.
drop trigger update_product_status_on_stock_change on commerce.products;
create trigger update_product_status_on_stock_change before insert or update of stock_quantity on commerce.products
    for each row
    when (
        new.stock_quantity = 0 and new.status = 'active' or new.stock_quantity > 0 and new.status = 'out_of_stock'
    )
    execute function commerce.update_product_status_on_stock_change();
