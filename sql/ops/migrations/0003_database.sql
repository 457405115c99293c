-- What holds for the whole database: pgvector, and the search path under which every printed query of the seeds runs unqualified.
-- Re-runnable.
do $$
begin
    create extension if not exists vector with schema public;
exception
    when insufficient_privilege then
        raise exception 'creating the extension vector: the user % may not', current_user
            using errcode = 'insufficient_privilege',
                  hint = 'pgvector is not a trusted extension: let a superuser (rds_superuser on RDS) run '
                         '"create extension vector with schema public" in this database once, then migrate again.';
end
$$;

do $$
begin
    execute format('alter database %I set search_path = fullbay, commerce, shoppulse, public', current_database());
end
$$;

-- PostgreSQL 15 stopped granting this to everybody, but a database restored from an older server still carries the grant.
revoke create on schema public from public;
