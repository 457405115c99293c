-- One row per registered vendor. Grain and key: vendor_id. A vendor is there before his first upload, and is never deleted while
-- anything of his is there: a status takes him out of business.
create table commerce.vendors (
    vendor_id varchar(50) primary key,  -- first part of the names of the vendor's files
    vendor_name varchar(200) not null,
    email varchar(255) not null unique,
    phone varchar(20),
    business_name varchar(200),
    tax_id varchar(50),
    address text,
    city varchar(100),
    state varchar(50),
    country varchar(50) default 'USA',
    postal_code varchar(20),
    status varchar(20) not null default 'active',  -- active, suspended, inactive or pending_approval; only the active upload
    created_at timestamp default current_timestamp,
    updated_at timestamp default current_timestamp,
    constraint vendors_status_known check (status in ('active', 'suspended', 'inactive', 'pending_approval')),
    -- The published class [A-Z|a-z] took "a@b.||" for an address.
    constraint vendors_email_format check (email ~ '^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$')
);
create index idx_vendors_email on commerce.vendors (email);
create index idx_vendors_status on commerce.vendors (status);
create index idx_vendors_created_at on commerce.vendors (created_at desc);

-- The three sample vendors. Addresses under .example belong to nobody (RFC 2606).
insert into commerce.vendors (vendor_id, vendor_name, email, business_name, city, state) values
    ('VEND001', 'TechGear', 'contact@techgear.example', 'TechGear Inc', 'San Jose', 'CA'),
    ('VEND002', 'StyleWear', 'contact@stylewear.example', 'StyleWear LLC', 'New York', 'NY'),
    ('VEND003', 'HomeEssentials', 'contact@homeessentials.example', 'HomeEssentials Co', 'Chicago', 'IL');
