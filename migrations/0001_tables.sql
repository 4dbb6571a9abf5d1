-- Roles are synced from auth.config.ts at boot; the two below always exist.
create table role (
  name text primary key
);
insert into role (name) values ('user'), ('admin');

create table "user" (
  id text primary key,
  name text not null,
  email text not null,
  email_verified boolean not null default false,
  image text,
  role text not null default 'user',
  banned boolean not null default false,
  ban_reason text,
  ban_expires timestamptz,
  -- Tokens without a session are dead when issued at or before this time.
  valid_after timestamptz,
  created_at timestamptz(3) not null default current_timestamp,
  updated_at timestamptz(3) not null default current_timestamp,
  constraint user_email_key unique (email),
  constraint user_email_lowercase check (email = lower(email)),
  constraint user_role_known foreign key (role) references role (name)
);
create index user_created_at_id_idx on "user" (created_at desc, id desc);
create index user_email_id_idx on "user" (email, id);
create index user_name_id_idx on "user" (name, id);
create index user_role_idx on "user" (role);

create table session (
  id text primary key,
  expires_at timestamptz not null,
  -- The absolute end: sliding never passes it.
  not_after timestamptz not null,
  token text not null,
  created_at timestamptz(3) not null default current_timestamp,
  updated_at timestamptz(3) not null,
  ip_address text,
  user_agent text,
  user_id text not null references "user" (id) on delete cascade,
  impersonated_by text references "user" (id) on delete cascade,
  constraint session_token_key unique (token)
);
create index session_user_id_created_at_idx on session (user_id, created_at desc, id desc);
create index session_impersonated_by_idx on session (impersonated_by) where impersonated_by is not null;
create index session_expires_at_idx on session (expires_at);

create table account (
  id text primary key,
  account_id text not null,
  provider_id text not null,
  user_id text not null references "user" (id) on delete cascade,
  access_token text,
  refresh_token text,
  id_token text,
  access_token_expires_at timestamptz,
  refresh_token_expires_at timestamptz,
  scope text,
  password text,
  created_at timestamptz(3) not null default current_timestamp,
  updated_at timestamptz(3) not null,
  -- Better-Auth refuses every sign-in of an identity that is linked twice.
  constraint account_provider_account_key unique (provider_id, account_id)
);
create index account_user_id_idx on account (user_id);

create table verification (
  id text primary key,
  identifier text not null,
  value text not null,
  expires_at timestamptz not null,
  created_at timestamptz not null default current_timestamp,
  updated_at timestamptz not null default current_timestamp
);
create index verification_identifier_idx on verification (identifier);
create index verification_expires_at_idx on verification (expires_at);
create index verification_value_idx on verification (value);

create table jwks (
  id text primary key,
  public_key text not null,
  private_key text not null,
  created_at timestamptz not null,
  expires_at timestamptz,
  -- A key is published before it signs, so that every verifier knows it by then.
  active_at timestamptz not null default current_timestamp,
  alg text,
  crv text
);

create table rate_limit (
  id text primary key,
  key text not null unique,
  count integer not null,
  last_request bigint not null
);
create index rate_limit_last_request_idx on rate_limit (last_request);
