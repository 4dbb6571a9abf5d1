-- Checks of passwords, counted before anything is hashed: by account, or by account and address from where that is known.
create table password_attempt (
  key text primary key,
  attempts integer not null,
  ends_at timestamptz not null
);
create index password_attempt_ends_at_idx on password_attempt (ends_at);

-- From where users have signed in. They are counted apart there: who tries elsewhere cannot use their attempts up.
create table known_address (
  user_id text not null references "user" (id) on delete cascade,
  -- A hash of what one client owns: an IPv4 address, or the /64 of an IPv6 address.
  block text not null,
  last_used_at timestamptz not null,
  primary key (user_id, block)
);
create index known_address_last_used_at_idx on known_address (last_used_at);
