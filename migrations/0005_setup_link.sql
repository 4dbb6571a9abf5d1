-- The one-time links that make the first admin, by the hash of what stands in them.
create table setup_link (
  token_hash text primary key,
  expires_at timestamptz not null
);
