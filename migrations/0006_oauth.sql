-- The tables of the OAuth 2.1 / OpenID Connect provider, as its plugin wants them, and their place in the authority.

create table oauth_client (
  id text primary key,
  client_id text not null,
  client_secret text,
  client_discovery_id text,
  disabled boolean not null default false,
  skip_consent boolean not null default false,
  enable_end_session boolean not null default false,
  subject_type text,
  scopes jsonb,
  client_credentials_scopes jsonb,
  -- Who made it: the client outlives them.
  user_id text references "user" (id) on delete set null,
  created_at timestamptz(3) not null default current_timestamp,
  updated_at timestamptz(3) not null default current_timestamp,
  name text,
  uri text,
  icon text,
  contacts jsonb,
  tos text,
  policy text,
  software_id text,
  software_version text,
  software_statement text,
  redirect_uris jsonb not null,
  post_logout_redirect_uris jsonb,
  backchannel_logout_uri text,
  backchannel_logout_session_required boolean,
  token_endpoint_auth_method text,
  application_type text,
  jwks text,
  jwks_uri text,
  grant_types jsonb,
  response_types jsonb,
  require_pkce boolean not null default true,
  dpop_bound_access_tokens boolean,
  reference_id text,
  metadata jsonb,
  -- It is in auth.config.ts, which alone changes it.
  is_configured boolean not null default false,
  -- Tokens of the client are dead when issued at or before this time.
  valid_after timestamptz,
  constraint oauth_client_client_id_key unique (client_id)
);
create index oauth_client_user_id_idx on oauth_client (user_id);
create index oauth_client_created_at_id_idx on oauth_client (created_at desc, id desc);

create table oauth_resource (
  id text primary key,
  identifier text not null,
  name text not null,
  access_token_ttl integer,
  refresh_token_ttl integer,
  signing_algorithm text,
  signing_key_id text,
  allowed_scopes jsonb,
  custom_claims jsonb,
  dpop_bound_access_tokens_required boolean,
  disabled boolean,
  created_at timestamptz,
  updated_at timestamptz,
  policy_version integer,
  metadata jsonb,
  constraint oauth_resource_identifier_key unique (identifier)
);

create table oauth_client_resource (
  id text primary key,
  client_id text not null references oauth_client (client_id) on delete cascade,
  resource_id text not null references oauth_resource (identifier) on delete cascade,
  metadata jsonb,
  created_at timestamptz
);
create unique index oauth_client_resource_client_id_resource_id_uidx on oauth_client_resource (client_id, resource_id);
create index oauth_client_resource_resource_id_idx on oauth_client_resource (resource_id);

create table oauth_refresh_token (
  id text primary key,
  token text not null,
  client_id text not null references oauth_client (client_id) on delete cascade,
  session_id text references session (id) on delete set null,
  user_id text not null references "user" (id) on delete cascade,
  reference_id text,
  authorization_code_id text,
  resources jsonb,
  requested_user_info_claims jsonb,
  expires_at timestamptz not null,
  created_at timestamptz not null,
  revoked timestamptz,
  rotated_at timestamptz,
  rotation_replay_response text,
  rotation_replay_expires_at timestamptz,
  auth_time timestamptz,
  confirmation jsonb,
  scopes jsonb not null,
  -- When the first of those that were made of each other was made.
  family_started_at timestamptz not null default current_timestamp,
  constraint oauth_refresh_token_token_key unique (token)
);
create index oauth_refresh_token_client_id_idx on oauth_refresh_token (client_id);
create index oauth_refresh_token_session_id_idx on oauth_refresh_token (session_id);
create index oauth_refresh_token_user_id_client_id_idx on oauth_refresh_token (user_id, client_id);
create index oauth_refresh_token_authorization_code_id_idx on oauth_refresh_token (authorization_code_id);
create index oauth_refresh_token_expires_at_idx on oauth_refresh_token (expires_at);

create table oauth_access_token (
  id text primary key,
  token text not null,
  client_id text not null references oauth_client (client_id) on delete cascade,
  session_id text references session (id) on delete set null,
  user_id text references "user" (id) on delete cascade,
  reference_id text,
  authorization_code_id text,
  resources jsonb,
  requested_user_info_claims jsonb,
  refresh_id text references oauth_refresh_token (id) on delete cascade,
  expires_at timestamptz not null,
  created_at timestamptz not null,
  revoked timestamptz,
  confirmation jsonb,
  scopes jsonb not null,
  constraint oauth_access_token_token_key unique (token)
);
create index oauth_access_token_client_id_idx on oauth_access_token (client_id);
create index oauth_access_token_session_id_idx on oauth_access_token (session_id);
create index oauth_access_token_user_id_client_id_idx on oauth_access_token (user_id, client_id);
create index oauth_access_token_authorization_code_id_idx on oauth_access_token (authorization_code_id);
create index oauth_access_token_refresh_id_idx on oauth_access_token (refresh_id);
create index oauth_access_token_expires_at_idx on oauth_access_token (expires_at);

create table oauth_consent (
  id text primary key,
  client_id text not null references oauth_client (client_id) on delete cascade,
  user_id text references "user" (id) on delete cascade,
  reference_id text,
  resources jsonb,
  requested_user_info_claims jsonb,
  scopes jsonb not null,
  created_at timestamptz not null,
  updated_at timestamptz not null
);
create index oauth_consent_client_id_idx on oauth_consent (client_id);
create index oauth_consent_user_id_client_id_idx on oauth_consent (user_id, client_id);

create table oauth_client_assertion (
  id text primary key,
  expires_at timestamptz not null
);
create index oauth_client_assertion_expires_at_idx on oauth_client_assertion (expires_at);

-- What a user lets a client do, first-party clients too. The row stays when that ends, so that tokens from before
-- stay dead when it is begun again.
create table oauth_grant (
  user_id text not null references "user" (id) on delete cascade,
  client_id text not null references oauth_client (client_id) on delete cascade,
  scopes jsonb not null,
  created_at timestamptz(3) not null default current_timestamp,
  updated_at timestamptz(3) not null default current_timestamp,
  ended_at timestamptz,
  -- Access tokens are dead when issued at or before this time.
  valid_after timestamptz,
  primary key (user_id, client_id)
);
create index oauth_grant_client_id_idx on oauth_grant (client_id);

-- Which grant a code was exchanged for: one that comes a second time ends what the first was given.
create table oauth_redeemed_code (
  code_hash text primary key,
  user_id text not null references "user" (id) on delete cascade,
  client_id text not null references oauth_client (client_id) on delete cascade,
  redeemed_at timestamptz not null default current_timestamp
);
create index oauth_redeemed_code_user_id_idx on oauth_redeemed_code (user_id);
create index oauth_redeemed_code_client_id_idx on oauth_redeemed_code (client_id);
create index oauth_redeemed_code_redeemed_at_idx on oauth_redeemed_code (redeemed_at);

-- Access tokens that their client gave back before their time.
create table oauth_revoked_token (
  jti text primary key,
  expires_at timestamptz not null
);
create index oauth_revoked_token_expires_at_idx on oauth_revoked_token (expires_at);

-- Ends what clients hold for a user: all of it, or what hangs on one session.
create function end_oauth_tokens(owner text) returns void
language sql volatile as $$
  delete from oauth_access_token where user_id = owner;
  delete from oauth_refresh_token where user_id = owner;
$$;

create function session_end_oauth_tokens() returns trigger
language plpgsql as $$
begin
  delete from oauth_access_token where session_id = old.id and not scopes ? 'offline_access';
  delete from oauth_refresh_token where session_id = old.id and not scopes ? 'offline_access';
  return old;
end
$$;
create trigger session_end_oauth_tokens before delete on session
  for each row execute function session_end_oauth_tokens();

create or replace function user_end_sessions() returns trigger
language plpgsql as $$
begin
  if is_banned(new.banned, new.ban_expires) then
    delete from session where user_id = new.id or impersonated_by = new.id;
    perform end_oauth_tokens(new.id);
  elsif new.role <> old.role then
    delete from session where impersonated_by = new.id;
  end if;
  return null;
end
$$;

create or replace function account_password_set() returns trigger
language plpgsql as $$
begin
  delete from verification where value = new.user_id;
  if tg_op = 'UPDATE' or exists (
    select from "user" where id = new.user_id and xmin <> pg_current_xact_id()::xid
  ) then
    delete from session where user_id = new.user_id;
    perform end_oauth_tokens(new.user_id);
    update "user" set valid_after = greatest(clock_timestamp(), valid_after) where id = new.user_id;
  end if;
  return null;
end
$$;

-- Refuses tokens and grants for a banned user; waits for a ban under way, as the insert of a session does.
create function oauth_assert_not_banned() returns trigger
language plpgsql as $$
declare
  is_refused boolean;
begin
  select is_banned(banned, ban_expires) into is_refused from "user" where id = new.user_id for share;
  if is_refused then
    raise exception 'the user is banned' using errcode = '23514', constraint = 'user_banned';
  end if;
  return new;
end
$$;
create trigger oauth_access_token_open before insert on oauth_access_token
  for each row execute function oauth_assert_not_banned();
create trigger oauth_grant_open before insert or update of scopes on oauth_grant
  for each row execute function oauth_assert_not_banned();

-- A refresh token lives no longer than its grant, and 90 days after the first of its family at the latest.
create function oauth_refresh_token_open() returns trigger
language plpgsql as $$
declare
  first record;
begin
  perform 1 from oauth_grant
    where user_id = new.user_id and client_id = new.client_id and ended_at is null for share;
  if not found then
    raise exception 'the grant has ended' using errcode = '23514', constraint = 'oauth_grant_ended';
  end if;
  select family_started_at, scopes into first from oauth_refresh_token
    where authorization_code_id = new.authorization_code_id order by family_started_at limit 1;
  new.family_started_at := coalesce(first.family_started_at, clock_timestamp());
  -- RFC 6749 section 6: who asks for fewer scopes once may ask for all again.
  new.scopes := coalesce(first.scopes, new.scopes);
  new.expires_at := least(new.expires_at, new.family_started_at + interval '90 days');
  return new;
end
$$;
create trigger oauth_refresh_token_not_banned before insert on oauth_refresh_token
  for each row execute function oauth_assert_not_banned();
create trigger oauth_refresh_token_open before insert on oauth_refresh_token
  for each row execute function oauth_refresh_token_open();

create function oauth_client_disable() returns trigger
language plpgsql as $$
begin
  new.valid_after := clock_timestamp();
  delete from oauth_access_token where client_id = new.client_id;
  delete from oauth_refresh_token where client_id = new.client_id;
  return new;
end
$$;
create trigger oauth_client_disable before update of disabled on oauth_client
  for each row when (new.disabled and not old.disabled) execute function oauth_client_disable();

-- 'client:<id>' for what all tokens of a client hang on, and its owner for a grant.
create function oauth_client_notify() returns trigger
language plpgsql as $$
begin
  perform pg_notify('authority', 'client:' || old.client_id);
  return null;
end
$$;
create trigger oauth_client_notify_deleted after delete on oauth_client
  for each row execute function oauth_client_notify();
create trigger oauth_client_notify_updated after update on oauth_client
  for each row when (
    (new.disabled, new.valid_after, new.scopes, new.client_credentials_scopes)
      is distinct from (old.disabled, old.valid_after, old.scopes, old.client_credentials_scopes)
  ) execute function oauth_client_notify();

create function oauth_grant_notify_updated() returns trigger
language plpgsql as $$
begin
  perform notify_users(array(
    select o.user_id from o join n on n.user_id = o.user_id and n.client_id = o.client_id
    where (n.ended_at, n.valid_after) is distinct from (o.ended_at, o.valid_after)
  ));
  return null;
end
$$;
create trigger oauth_grant_notify_updated after update on oauth_grant
  referencing old table as o new table as n for each statement execute function oauth_grant_notify_updated();

create function oauth_grant_notify_deleted() returns trigger
language plpgsql as $$
begin
  perform notify_users(array(select user_id from o));
  return null;
end
$$;
create trigger oauth_grant_notify_deleted after delete on oauth_grant
  referencing old table as o for each statement execute function oauth_grant_notify_deleted();
