-- The tables of CORE and OPS and their indexes, letter for letter as the seed prints them.
CREATE TABLE core.odoo_opportunities (
    opportunity_id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    source_id INTEGER NOT NULL,
    name VARCHAR(500) NOT NULL,
    
    -- Partner/Company (resolved from res_partner)
    partner_id INTEGER,
    partner_name VARCHAR(500),
    partner_email VARCHAR(255),
    partner_phone VARCHAR(100),
    partner_website VARCHAR(255),
    partner_street VARCHAR(500),
    partner_city VARCHAR(200),
    partner_state VARCHAR(200),
    partner_country VARCHAR(200),
    partner_is_company BOOLEAN,
    
    -- User/Owner (resolved from res_users)
    user_id INTEGER,
    user_name VARCHAR(500),
    user_email VARCHAR(255),
    
    -- Team (resolved from crm_team)
    team_id INTEGER,
    team_name VARCHAR(200),
    
    -- Stage (resolved from crm_stage)
    stage_id INTEGER,
    stage_name VARCHAR(200),
    stage_sequence INTEGER,
    
    -- AWS specific (resolved from c_aws_accounts)
    aws_account_id VARCHAR(20),
    aws_account_name VARCHAR(500),
    aws_account_alias VARCHAR(200),
    aws_payer_account_id VARCHAR(20),
    aws_payer_account_name VARCHAR(500),
    
    -- Financial
    probability DECIMAL(5,2),
    expected_revenue DECIMAL(15,2),
    
    -- POD specific
    origination VARCHAR(50),
    c_aws_am_name VARCHAR(500),
    c_aws_psm_name VARCHAR(500),
    
    -- Dates
    create_date TIMESTAMP,
    close_date TIMESTAMP,
    date_deadline DATE,
    
    -- Normalized fields for matching
    domain VARCHAR(255),
    normalized_domain VARCHAR(255),
    normalized_company_name VARCHAR(500),
    
    -- For embeddings
    combined_text TEXT,  -- Concatenated searchable text
    
    -- Metadata
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    UNIQUE(source_id)
);

CREATE INDEX idx_odoo_opp_aws_account ON core.odoo_opportunities(aws_account_id);
CREATE INDEX idx_odoo_opp_domain ON core.odoo_opportunities(normalized_domain);
CREATE INDEX idx_odoo_opp_partner ON core.odoo_opportunities(partner_id);

-- Normalized ACE Opportunities (already has most names)
CREATE TABLE core.ace_opportunities (
    opportunity_id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    source_id VARCHAR(100) NOT NULL,
    name VARCHAR(500) NOT NULL,
    
    -- Company/Account
    account_name VARCHAR(500),
    customer_email VARCHAR(255),
    customer_name VARCHAR(500),
    
    -- AWS Account (resolved if possible)
    aws_account VARCHAR(20),
    aws_account_name VARCHAR(500),  -- Resolved from core.aws_accounts
    
    -- Financial
    project_budget DECIMAL(15,2),
    
    -- POD specific fields
    opportunity_type VARCHAR(100),
    opportunity_ownership VARCHAR(100),
    delivery_model VARCHAR(100),
    use_case VARCHAR(200),
    industry VARCHAR(100),
    
    -- Contacts
    partner_sales_rep_name VARCHAR(500),
    partner_sales_rep_email VARCHAR(255),
    aws_sales_rep_name VARCHAR(500),
    aws_sales_rep_email VARCHAR(255),
    psm_name VARCHAR(500),
    psm_email VARCHAR(255),
    
    -- Status
    status VARCHAR(100),
    aws_status VARCHAR(100),
    partner_acceptance_status VARCHAR(100),
    
    -- Dates
    close_date DATE,
    aws_create_date TIMESTAMP,
    aws_last_modified_date TIMESTAMP,
    
    -- Normalized fields for matching
    domain VARCHAR(255),
    normalized_domain VARCHAR(255),
    normalized_company_name VARCHAR(500),
    
    -- For embeddings
    combined_text TEXT,  -- Concatenated searchable text
    
    -- Metadata
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    UNIQUE(source_id)
);

CREATE INDEX idx_ace_opp_aws_account ON core.ace_opportunities(aws_account);
CREATE INDEX idx_ace_opp_domain ON core.ace_opportunities(normalized_domain);
CREATE INDEX idx_ace_opp_status ON core.ace_opportunities(status);

-- AWS Accounts Master with Resolved Names
CREATE TABLE core.aws_accounts (
    account_id VARCHAR(20) PRIMARY KEY,  -- 12-digit AWS account ID
    account_name VARCHAR(500),
    account_alias VARCHAR(200),
    
    -- Company (resolved from res_partner)
    company_id INTEGER,
    company_name VARCHAR(500),
    company_website VARCHAR(255),
    company_domain VARCHAR(255),
    
    -- Partner (resolved from res_partner)
    partner_id INTEGER,
    partner_name VARCHAR(500),
    partner_email VARCHAR(255),
    
    -- Salesperson (resolved from res_users)
    salesperson_id INTEGER,
    salesperson_name VARCHAR(500),
    salesperson_email VARCHAR(255),
    
    -- Payer relationship
    is_payer BOOLEAN DEFAULT false,
    payer_account_id VARCHAR(20),
    payer_account_name VARCHAR(500),  -- Resolved
    
    -- Billing
    is_billable BOOLEAN DEFAULT true,
    environment VARCHAR(50),
    
    -- For embeddings
    combined_text TEXT,  -- Concatenated searchable text
    
    -- Metadata
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);

CREATE INDEX idx_aws_accounts_payer ON core.aws_accounts(payer_account_id);
CREATE INDEX idx_aws_accounts_company ON core.aws_accounts(company_id);
CREATE INDEX idx_aws_accounts_domain ON core.aws_accounts(company_domain);


CREATE TABLE ops.sync_jobs (
    job_id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    source_system VARCHAR(50) NOT NULL,  -- 'odoo' or 'apn'
    job_type VARCHAR(50) NOT NULL,       -- 'full_sync' or 'incremental'
    status VARCHAR(50) DEFAULT 'pending',
    started_at TIMESTAMP,
    completed_at TIMESTAMP,
    -- Metrics
    records_processed INTEGER DEFAULT 0,
    records_inserted INTEGER DEFAULT 0,
    records_updated INTEGER DEFAULT 0,
    records_failed INTEGER DEFAULT 0,
    -- Error handling
    error_message TEXT,
    error_details JSONB,
    -- Configuration
    config JSONB,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);

CREATE INDEX idx_sync_jobs_status ON ops.sync_jobs(status);
CREATE INDEX idx_sync_jobs_source ON ops.sync_jobs(source_system);

-- Data quality checks
CREATE TABLE ops.data_quality_checks (
    check_id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    sync_job_id UUID REFERENCES ops.sync_jobs(job_id),
    table_name VARCHAR(100) NOT NULL,
    check_type VARCHAR(100) NOT NULL,
    check_description TEXT,
    -- Results
    passed BOOLEAN,
    records_checked INTEGER,
    records_passed INTEGER,
    records_failed INTEGER,
    -- Details
    failure_details JSONB,
    executed_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);

CREATE INDEX idx_quality_checks_job ON ops.data_quality_checks(sync_job_id);
CREATE INDEX idx_quality_checks_table ON ops.data_quality_checks(table_name);

-- Transformation lineage
CREATE TABLE ops.transformation_log (
    log_id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    source_table VARCHAR(100) NOT NULL,
    target_table VARCHAR(100) NOT NULL,
    source_record_id VARCHAR(500),
    target_record_id UUID,
    transformation_type VARCHAR(100),
    -- Audit
    transformed_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    transformation_rules JSONB
);

CREATE INDEX idx_transform_source ON ops.transformation_log(source_table, source_record_id);
CREATE INDEX idx_transform_target ON ops.transformation_log(target_table, target_record_id);

-- Vector embeddings for semantic search
CREATE TABLE search.embeddings (
    embedding_id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    source_table VARCHAR(100) NOT NULL,
    source_id VARCHAR(500) NOT NULL,
    embedding_type VARCHAR(50) NOT NULL, -- 'identity' or 'context'
    -- BGE-M3 embeddings
    embed_vector vector(1024),           -- Dense embeddings
    -- Metadata
    text_content TEXT,                   -- Original text that was embedded
    metadata JSONB,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    UNIQUE(source_table, source_id, embedding_type)
);

-- HNSW index for fast similarity search
CREATE INDEX idx_embed_vector_cosine ON search.embeddings 
USING hnsw (embed_vector vector_cosine_ops)
WITH (m = 16, ef_construction = 64);

-- Similarity cache for performance
CREATE TABLE search.similarity_cache (
    cache_id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    source_embedding_id UUID REFERENCES search.embeddings(embedding_id),
    target_embedding_id UUID REFERENCES search.embeddings(embedding_id),
    similarity_score DECIMAL(5,4),
    calculated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    UNIQUE(source_embedding_id, target_embedding_id)
);

CREATE INDEX idx_similarity_source ON search.similarity_cache(source_embedding_id);
CREATE INDEX idx_similarity_score ON search.similarity_cache(similarity_score DESC);
