-- updated_at = now on every UPDATE of the eight tables that promise it.
create function fullbay.update_updated_at_column() returns trigger
language plpgsql as $$
begin
    new.updated_at = current_timestamp;
    return new;
end
$$;

create trigger update_fullbay_raw_data_updated_at before update on fullbay.fullbay_raw_data
    for each row execute function fullbay.update_updated_at_column();
create trigger update_fullbay_line_items_updated_at before update on fullbay.fullbay_line_items
    for each row execute function fullbay.update_updated_at_column();
create trigger update_ingestion_metadata_updated_at before update on fullbay.ingestion_metadata
    for each row execute function fullbay.update_updated_at_column();
create trigger update_daily_summary_updated_at before update on fullbay.daily_summary
    for each row execute function fullbay.update_updated_at_column();
create trigger update_monthly_summary_updated_at before update on fullbay.monthly_summary
    for each row execute function fullbay.update_updated_at_column();
create trigger update_customer_summary_updated_at before update on fullbay.customer_summary
    for each row execute function fullbay.update_updated_at_column();
create trigger update_vehicle_summary_updated_at before update on fullbay.vehicle_summary
    for each row execute function fullbay.update_updated_at_column();
create trigger update_processed_invoices_tracker_updated_at before update on fullbay.processed_invoices_tracker
    for each row execute function fullbay.update_updated_at_column();
