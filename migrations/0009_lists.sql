-- The list of users at a million of them: search by trigrams, and an order to walk for each filter that few match.

do $$
begin
  create extension if not exists pg_trgm;
exception when insufficient_privilege or feature_not_supported or undefined_file then
  raise exception 'an administrator of the database must run "create extension pg_trgm" in it (%)', sqlerrm;
end
$$;

-- Of the schema that it is in: an administrator may have chosen one outside the search path. Without a list of pending
-- entries no search has to read one, and no sign-up has to empty it.
do $$
declare
  place text := (select extnamespace::regnamespace from pg_extension where extname = 'pg_trgm');
begin
  execute format(
    'create index user_search_idx on "user" using gin (email %1$s.gin_trgm_ops, name %1$s.gin_trgm_ops)
      with (fastupdate = off)',
    place
  );
end
$$;

create index user_role_created_at_id_idx on "user" (role, created_at, id);
create index user_banned_created_at_id_idx on "user" (created_at, id) where banned;
create index user_unverified_created_at_id_idx on "user" (created_at, id) where not email_verified;

-- Whether a user has an account of a provider is in the index.
create index account_user_id_provider_id_idx on account (user_id, provider_id);
