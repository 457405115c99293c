-- The four published triggers, and two that hold the whitelist of categories.
-- Functions are called by their schema: fullbay has an update_updated_at_column of its own and comes first in the search path.

-- updated_at = now on every UPDATE.
create function commerce.update_updated_at_column() returns trigger
language plpgsql as $$
begin
    new.updated_at = current_timestamp;
    return new;
end
$$;
create trigger update_vendors_updated_at before update on commerce.vendors
    for each row execute function commerce.update_updated_at_column();
create trigger update_products_updated_at before update on commerce.products
    for each row execute function commerce.update_updated_at_column();

-- How long an upload took, in whole seconds, as soon as both ends are known.
create function commerce.update_upload_duration() returns trigger
language plpgsql as $$
begin
    if new.processing_started_at is not null and new.processing_completed_at is not null then
        new.processing_duration_seconds
            = floor(extract(epoch from new.processing_completed_at - new.processing_started_at));
    end if;
    return new;
end
$$;
create trigger update_upload_duration before update on commerce.upload_history
    for each row execute function commerce.update_upload_duration();

-- Active and out_of_stock follow the stock; inactive and discontinued do not.
create function commerce.update_product_status_on_stock_change() returns trigger
language plpgsql as $$
begin
    if new.stock_quantity = 0 and new.status = 'active' then
        new.status = 'out_of_stock';
    elsif new.stock_quantity > 0 and new.status = 'out_of_stock' then
        new.status = 'active';
    end if;
    return new;
end
$$;
create trigger update_product_status_on_stock_change before insert or update of stock_quantity on commerce.products
    for each row execute function commerce.update_product_status_on_stock_change();

-- The foreign key holds that a category exists; these two hold that it is active when it is given to a product. A product that has
-- it already keeps it, also when its other columns change or the category is renamed (the old name is gone then). Once a statement,
-- over the rows that it really wrote: a trigger for each row would refuse an upsert that changes nothing but the stock.
create function commerce.refuse_inactive_category() returns trigger
language plpgsql as $$
declare
    v_category text;
begin
    if tg_op = 'INSERT' then
        select c.category_name into v_category
        from (select distinct category from written) as w
        join commerce.product_categories as c on c.category_name = w.category
        where c.is_active is not true
        order by 1 limit 1;
    elsif exists (select from commerce.product_categories where is_active is not true) then
        select c.category_name into v_category
        from written as w
        join before_it as b on b.product_id = w.product_id and b.category <> w.category
        join commerce.product_categories as was on was.category_name = b.category
        join commerce.product_categories as c on c.category_name = w.category
        where c.is_active is not true
        order by 1 limit 1;
    end if;
    if v_category is not null then
        raise exception 'the category "%" is not active', v_category
            using errcode = 'check_violation', schema = 'commerce', table = 'products', column = 'category',
                  constraint = 'category_is_active',
                  hint = 'Choose one of the active rows of commerce.product_categories, or set is_active of this one.';
    end if;
    return null;
end
$$;
create trigger refuse_inactive_category_on_insert after insert on commerce.products
    referencing new table as written
    for each statement execute function commerce.refuse_inactive_category();
create trigger refuse_inactive_category_on_update after update on commerce.products
    referencing old table as before_it new table as written
    for each statement execute function commerce.refuse_inactive_category();
