-- Hosts of websites and e-mail addresses, by the rules of odoo_apn_assets/domains.py; a test holds both together. Single
-- expressions without "strict", so that the planner puts them in place of the call.
create or replace function core.host_of_website(website text) returns text
language sql immutable parallel safe
return substring(lower(btrim(website, E' \t\n\r\f\x0b') collate "C")
    from E'^(?:[a-z][a-z0-9+.-]*://|//)?(?:[^/?#@\\\\]*@)?([^/?#:@\\\\.>;, \t\n\r\f\x0b]+(?:\\.[^/?#:@\\\\.>;, \t\n\r\f\x0b]+)+)\\.*(?:[/?#:\\\\]|$)');

create or replace function core.host_of_email(address text) returns text
language sql immutable parallel safe
return substring(lower(btrim(address, E' \t\n\r\f\x0b') collate "C")
    from E'@([^/?#:@\\\\.>;, \t\n\r\f\x0b]+(?:\\.[^/?#:@\\\\.>;, \t\n\r\f\x0b]+)+)\\.*[>;,]*$');
