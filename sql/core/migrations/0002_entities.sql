-- The entities of CORE, as the seed prints them, every id resolved to a name. Grain: one row per opportunity or AWS account of RAW.

-- Normalized Odoo Opportunities with Resolved Names
create table core.odoo_opportunities (
    opportunity_id uuid primary key default gen_random_uuid(),
    source_id integer not null,
    name varchar(500) not null,
    -- Partner/Company (resolved from res_partner)
    partner_id integer,
    partner_name varchar(500),
    partner_email varchar(255),
    partner_phone varchar(100),
    partner_website varchar(255),
    partner_street varchar(500),
    partner_city varchar(200),
    partner_state varchar(200),
    partner_country varchar(200),
    partner_is_company boolean,
    -- User/Owner (resolved from res_users)
    user_id integer,
    user_name varchar(500),
    user_email varchar(255),
    -- Team (resolved from crm_team)
    team_id integer,
    team_name varchar(200),
    -- Stage (resolved from crm_stage)
    stage_id integer,
    stage_name varchar(200),
    stage_sequence integer,
    -- AWS specific (resolved from c_aws_accounts)
    aws_account_id varchar(20),
    aws_account_name varchar(500),
    aws_account_alias varchar(200),
    aws_payer_account_id varchar(20),
    aws_payer_account_name varchar(500),
    -- Financial
    probability decimal(5,2),
    expected_revenue decimal(15,2),
    -- POD specific
    origination varchar(50),
    c_aws_am_name varchar(500),
    c_aws_psm_name varchar(500),
    -- Dates
    create_date timestamp,
    close_date timestamp,
    date_deadline date,
    -- Normalized fields for matching
    domain varchar(255),
    normalized_domain varchar(255),
    normalized_company_name varchar(500),
    -- For embeddings
    combined_text text, -- Concatenated searchable text
    -- Metadata
    created_at timestamp default current_timestamp,
    updated_at timestamp default current_timestamp,
    unique (source_id)
);

create index idx_odoo_opp_aws_account on core.odoo_opportunities (aws_account_id);
create index idx_odoo_opp_domain on core.odoo_opportunities (normalized_domain);
create index idx_odoo_opp_partner on core.odoo_opportunities (partner_id);

-- Normalized ACE Opportunities (already has most names)
create table core.ace_opportunities (
    opportunity_id uuid primary key default gen_random_uuid(),
    source_id varchar(100) not null,
    name varchar(500) not null,
    -- Company/Account
    account_name varchar(500),
    customer_email varchar(255),
    customer_name varchar(500),
    -- AWS Account (resolved if possible)
    aws_account varchar(20),
    aws_account_name varchar(500), -- Resolved from core.aws_accounts
    -- Financial
    project_budget decimal(15,2),
    -- POD specific fields
    opportunity_type varchar(100),
    opportunity_ownership varchar(100),
    delivery_model varchar(100),
    use_case varchar(200),
    industry varchar(100),
    -- Contacts
    partner_sales_rep_name varchar(500),
    partner_sales_rep_email varchar(255),
    aws_sales_rep_name varchar(500),
    aws_sales_rep_email varchar(255),
    psm_name varchar(500),
    psm_email varchar(255),
    -- Status
    status varchar(100),
    aws_status varchar(100),
    partner_acceptance_status varchar(100),
    -- Dates
    close_date date,
    aws_create_date timestamp,
    aws_last_modified_date timestamp,
    -- Normalized fields for matching
    domain varchar(255),
    normalized_domain varchar(255),
    normalized_company_name varchar(500),
    -- For embeddings
    combined_text text, -- Concatenated searchable text
    -- Metadata
    created_at timestamp default current_timestamp,
    updated_at timestamp default current_timestamp,
    -- Additions: operations compare the two pipelines, by owner
    stage_name varchar(50),
    aws_stage varchar(50),
    owner_id varchar(100),
    owner_name varchar(255), -- Resolved from users
    unique (source_id)
);

create index idx_ace_opp_aws_account on core.ace_opportunities (aws_account);
create index idx_ace_opp_domain on core.ace_opportunities (normalized_domain);
create index idx_ace_opp_status on core.ace_opportunities (status);

-- AWS Accounts Master with Resolved Names
create table core.aws_accounts (
    account_id varchar(20) primary key, -- 12-digit AWS account ID
    account_name varchar(500),
    account_alias varchar(200),
    -- Company (resolved from res_partner)
    company_id integer,
    company_name varchar(500),
    company_website varchar(255),
    company_domain varchar(255),
    -- Partner (resolved from res_partner)
    partner_id integer,
    partner_name varchar(500),
    partner_email varchar(255),
    -- Salesperson (resolved from res_users)
    salesperson_id integer,
    salesperson_name varchar(500),
    salesperson_email varchar(255),
    -- Payer relationship
    is_payer boolean default false,
    payer_account_id varchar(20),
    payer_account_name varchar(500), -- Resolved
    -- Billing
    is_billable boolean default true,
    environment varchar(50),
    -- For embeddings
    combined_text text, -- Concatenated searchable text
    -- Metadata
    created_at timestamp default current_timestamp,
    updated_at timestamp default current_timestamp
);

create index idx_aws_accounts_payer on core.aws_accounts (payer_account_id);
create index idx_aws_accounts_company on core.aws_accounts (company_id);
create index idx_aws_accounts_domain on core.aws_accounts (company_domain);

-- What the rules make of a host name or a company name, computed once for each and joined by the transformations. A row with
-- an older version is computed again.
create table core.domains (
    host text primary key, -- as it stands in a website or after the @ of an e-mail address, lower case
    normalized_domain text, -- the registrable domain; null for free-mail hosts, addresses and names without a public suffix
    rules_version text not null
);
create table core.company_names (
    name text primary key, -- as it stands in the source
    normalized_name text, -- lower case, without punctuation and legal form; null when nothing is left
    rules_version text not null
);
