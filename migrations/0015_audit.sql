-- The audit log. Triggers write it, so that no door passes it, SQL included; each event is chained to the one before it.

-- In the order in which a ban locks them.
lock table "user", session, account, oauth_client, oauth_grant, oauth_consent, jwks in share row exclusive mode;

create domain audit_action as text check (value in (
  'user.created', 'user.updated', 'user.role_changed', 'user.banned', 'user.unbanned', 'user.email_changed',
  'user.email_verified', 'user.tokens_ended', 'user.deleted',
  'session.created', 'session.impersonated', 'session.ended', 'sign_in.failed',
  'password.set', 'password.changed', 'password.reset', 'password.refused', 'account.linked', 'account.unlinked',
  'client.created', 'client.updated', 'client.secret_rotated', 'client.deleted',
  'grant.created', 'grant.updated', 'grant.ended', 'consent.given', 'consent.withdrawn',
  'token.issued', 'token.refused', 'token.reused', 'token.revoked',
  'key.created', 'key.updated', 'key.removed', 'audit.pruned'
));

create table audit_event (
  -- The place in the chain: without gaps, in the order of commits.
  seq bigint primary key,
  -- Never before that of the event before it, so that what is older is always at the start.
  created_at timestamptz not null,
  action audit_action not null,
  actor_type text not null check (actor_type in ('user', 'client', 'system')),
  -- Null for somebody who has not proven who they are.
  actor_id text,
  -- The client through which a user acted.
  client_id text,
  target_type text check (target_type in ('user', 'client', 'key')),
  target_id text,
  -- {field: {from, to}} of what has changed. Never a secret.
  changes jsonb not null,
  reason text,
  request_id text,
  ip_address text,
  user_agent text,
  -- SHA-256 of the hash before it and of the event as a JSON array.
  hash bytea not null
);
create index audit_event_created_at_seq_idx on audit_event (created_at, seq);
create index audit_event_actor_id_seq_idx on audit_event (actor_id, seq) where actor_id is not null;
create index audit_event_target_id_seq_idx on audit_event (target_id, seq) where target_id is not null;
create index audit_event_action_seq_idx on audit_event (action, seq);

-- Where the chain begins and ends.
create table audit_head (
  id boolean primary key default true check (id),
  first_seq bigint not null,
  -- Of the event before the first.
  first_hash bytea not null,
  last_seq bigint not null,
  last_hash bytea not null,
  last_at timestamptz not null
) with (fillfactor = 10);
insert into audit_head (first_seq, first_hash, last_seq, last_hash, last_at)
  values (1, decode(repeat('00', 32), 'hex'), 0, decode(repeat('00', 32), 'hex'), '-infinity');

-- What a transaction has done so far: it is chained when it commits, and no other transaction ever sees it here.
create unlogged table audit_pending (
  place bigint generated always as identity primary key,
  action audit_action not null,
  actor_type text not null,
  actor_id text,
  client_id text,
  target_type text,
  target_id text,
  changes jsonb not null,
  reason text,
  request_id text,
  ip_address text,
  user_agent text
);

-- The lock of the head is the last that a transaction takes: nobody waits for anything while they hold it.
create function audit_chain() returns trigger
language plpgsql as $$
declare
  head audit_head;
  event record;
begin
  -- The first event of a transaction takes the others with it.
  if not exists (select from audit_pending where place = new.place) then return null; end if;
  select * into strict head from audit_head for update;
  head.last_at := greatest(clock_timestamp(), head.last_at);
  for event in select * from audit_pending where place >= new.place order by place loop
    head.last_seq := head.last_seq + 1;
    head.last_hash := sha256(head.last_hash || convert_to(jsonb_build_array(
      head.last_seq, (extract(epoch from head.last_at) * 1000000)::bigint, event.action, event.actor_type,
      event.actor_id, event.client_id, event.target_type, event.target_id, event.changes, event.reason,
      event.request_id, event.ip_address, event.user_agent)::text, 'UTF8'));
    insert into audit_event values (
      head.last_seq, head.last_at, event.action, event.actor_type, event.actor_id, event.client_id, event.target_type,
      event.target_id, event.changes, event.reason, event.request_id, event.ip_address, event.user_agent, head.last_hash);
  end loop;
  delete from audit_pending where place >= new.place;
  update audit_head set last_seq = head.last_seq, last_hash = head.last_hash, last_at = head.last_at;
  return null;
end
$$;
create constraint trigger audit_chain after insert on audit_pending
  deferrable initially deferred for each row execute function audit_chain();

create type audit_entry as (action text, target_type text, target_id text, changes jsonb, reason text);

-- Notes what has happened, with who did it and whence, as the service says for the length of a transaction. Without that
-- it is somebody with SQL. Who proves to be somebody by what they do acts as that one, or as who acted as them.
create function audit_note(entries audit_entry[]) returns void
language plpgsql as $$
declare
  context jsonb := nullif(current_setting('latchkey.audit', true), '')::jsonb;
begin
  insert into audit_pending (action, actor_type, actor_id, client_id, target_type, target_id, changes, reason,
    request_id, ip_address, user_agent)
  select e.action, coalesce(context ->> 'actorType', case when context is null then 'system' else 'user' end),
    coalesce(context ->> 'actorId', case
      when context is null then session_user::text
      when context ->> 'proves' = 'true' and e.target_type = 'user' and e.action <> 'sign_in.failed'
        then coalesce(e.changes #>> '{impersonatedBy,from}', e.target_id)
    end),
    context ->> 'clientId', e.target_type, e.target_id, e.changes, e.reason,
    context ->> 'requestId', context ->> 'ipAddress', context ->> 'userAgent'
  from unnest(entries) with ordinality as e order by e.ordinality;
end
$$;

-- The same of what no row tells.
create function audit_one(action text, target_type text, target_id text, changes jsonb, reason text) returns void
language sql volatile as $$
  select audit_note(array[row(action, target_type, target_id, changes, reason)::audit_entry])
$$;

-- What more than a thousand rows have in common is one event: nobody acts on so many but with SQL.
create function audit_rows(entries audit_entry[], total bigint) returns void
language plpgsql as $$
begin
  if cardinality(entries) = 0 then return; end if;
  if cardinality(entries) > 1000 then
    entries := array[row((entries[1]).action, (entries[1]).target_type, null,
      jsonb_build_object('count', jsonb_build_object('from', null, 'to', total)), null)::audit_entry];
  end if;
  perform audit_note(entries);
end
$$;

create function audit_diff(before jsonb, after jsonb) returns jsonb
language sql immutable as $$
  select coalesce(jsonb_object_agg(key, jsonb_build_object('from', before -> key, 'to', after -> key)), '{}')
  from jsonb_object_keys(before || after) as key
  where nullif(before -> key, 'null') is distinct from nullif(after -> key, 'null')
$$;

create function audit_time(at timestamptz) returns text
language sql immutable as $$
  select to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

create function audit_user(u "user") returns jsonb
language sql immutable as $$
  select jsonb_build_object('email', u.email, 'emailVerified', u.email_verified, 'name', u.name, 'image', u.image,
    'role', u.role)
$$;

create function user_audit_inserted() returns trigger
language plpgsql as $$
begin
  perform audit_rows(array(
    select row('user.created', 'user', n.id, audit_diff('{}', audit_user(n)), null)::audit_entry from n limit 1001
  ), (select count(*) from n));
  return null;
end
$$;
create trigger user_audit_inserted after insert on "user"
  referencing new table as n for each statement execute function user_audit_inserted();

create function user_audit_updated() returns trigger
language plpgsql as $$
begin
  perform audit_rows(array(
    select row(e.action, 'user', n.id, audit_diff(e.before, e.after), e.reason)::audit_entry
    from o join n on n.id = o.id and
      (n.role, n.banned, n.ban_reason, n.ban_expires, n.email, n.email_verified, n.name, n.image, n.valid_after)
        is distinct from
      (o.role, o.banned, o.ban_reason, o.ban_expires, o.email, o.email_verified, o.name, o.image, o.valid_after)
    cross join lateral (values
      ('user.role_changed', jsonb_build_object('role', o.role), jsonb_build_object('role', n.role), null),
      (case when n.banned then 'user.banned' else 'user.unbanned' end,
        jsonb_build_object('banned', o.banned, 'banReason', o.ban_reason, 'banExpires', audit_time(o.ban_expires)),
        jsonb_build_object('banned', n.banned, 'banReason', n.ban_reason, 'banExpires', audit_time(n.ban_expires)),
        case when n.banned then n.ban_reason end),
      (case
          when n.email <> o.email then 'user.email_changed'
          when n.email_verified then 'user.email_verified'
          else 'user.updated'
        end,
        jsonb_build_object('email', o.email, 'emailVerified', o.email_verified),
        jsonb_build_object('email', n.email, 'emailVerified', n.email_verified), null),
      ('user.updated', jsonb_build_object('name', o.name, 'image', o.image),
        jsonb_build_object('name', n.name, 'image', n.image), null),
      -- A ban and a password end them, too, and have an event of their own.
      ('user.tokens_ended', jsonb_build_object('validAfter', audit_time(o.valid_after)),
        case when pg_trigger_depth() = 1 and (n.banned, n.ban_expires) is not distinct from (o.banned, o.ban_expires)
          then jsonb_build_object('validAfter', audit_time(n.valid_after))
          else jsonb_build_object('validAfter', audit_time(o.valid_after)) end, null)
    ) as e (action, before, after, reason)
    where e.before <> e.after limit 1001
  ), (select count(*) from n));
  return null;
end
$$;
create trigger user_audit_updated after update on "user"
  referencing old table as o new table as n for each statement execute function user_audit_updated();

create function user_audit_deleted() returns trigger
language plpgsql as $$
begin
  perform audit_rows(array(
    select row('user.deleted', 'user', o.id, audit_diff(audit_user(o), '{}'), null)::audit_entry from o limit 1001
  ), (select count(*) from o));
  return null;
end
$$;
create trigger user_audit_deleted after delete on "user"
  referencing old table as o for each statement execute function user_audit_deleted();

create function session_audit_inserted() returns trigger
language plpgsql as $$
declare
  way text := nullif(current_setting('latchkey.audit', true), '')::jsonb ->> 'way';
begin
  perform audit_rows(array(
    select row(case when n.impersonated_by is null then 'session.created' else 'session.impersonated' end, 'user',
      n.user_id, audit_diff('{}', jsonb_build_object('sessionId', n.id, 'impersonatedBy', n.impersonated_by, 'way',
        case when n.impersonated_by is null then way end)), null)::audit_entry
    from n limit 1001
  ), (select count(*) from n));
  return null;
end
$$;
create trigger session_audit_inserted after insert on session
  referencing new table as n for each statement execute function session_audit_inserted();

-- However many sessions of somebody end at once, it is one event. Those that were over already are removed by upkeep.
create function audit_sessions_ended(ended session[]) returns void
language plpgsql as $$
declare
  ending text := nullif(current_setting('latchkey.audit', true), '')::jsonb ->> 'ending';
begin
  perform audit_rows(array(
    select row('session.ended', 'user', e.user_id, audit_diff(jsonb_build_object(
        'sessionIds', to_jsonb(e.ids[1:100]), 'impersonatedBy', e.impersonated_by), '{}')
        || jsonb_build_object('count', jsonb_build_object('from', null, 'to', cardinality(e.ids))),
      -- What ends sessions by a trigger is one of these.
      case
        when u.id is null then 'user-deleted'
        when is_banned(u.banned, u.ban_expires) then 'banned'
        when pg_trigger_depth() = 1 then coalesce(ending, 'revoked')
        when e.impersonated_by is null then 'password'
        else 'impersonator'
      end)::audit_entry
    from (
      select user_id, impersonated_by, array_agg(id order by created_at desc, id) as ids from unnest(ended)
      group by user_id, impersonated_by order by user_id limit 1001
    ) as e left join "user" as u on u.id = e.user_id
  ), cardinality(ended));
end
$$;

create function session_audit_updated() returns trigger
language plpgsql as $$
begin
  perform audit_sessions_ended(array(
    select o::session from o join n on n.id = o.id where o.expires_at > now() and n.expires_at <= clock_timestamp()
  ));
  return null;
end
$$;
create trigger session_audit_updated after update on session
  referencing old table as o new table as n for each statement execute function session_audit_updated();

create function session_audit_deleted() returns trigger
language plpgsql as $$
begin
  perform audit_sessions_ended(array(select o::session from o where expires_at > now()));
  return null;
end
$$;
create trigger session_audit_deleted after delete on session
  referencing old table as o for each statement execute function session_audit_deleted();

-- Of a password that it was set, of a provider which one and who one is there; of tokens nothing.
create function account_audit_inserted() returns trigger
language plpgsql as $$
begin
  perform audit_rows(array(
    select row(e.action, 'user', n.user_id, e.changes, null)::audit_entry from n
    cross join lateral (values
      ('account.linked', audit_diff('{}', jsonb_build_object('providerId', n.provider_id, 'accountId', n.account_id)),
        n.provider_id <> 'credential'),
      ('password.set', '{}', n.password is not null)
    ) as e (action, changes, is_so) where e.is_so limit 1001
  ), (select count(*) from n));
  return null;
end
$$;
create trigger account_audit_inserted after insert on account
  referencing new table as n for each statement execute function account_audit_inserted();

create function account_audit_updated() returns trigger
language plpgsql as $$
declare
  is_reset boolean := nullif(current_setting('latchkey.audit', true), '')::jsonb ->> 'way' = 'reset';
begin
  perform audit_rows(array(
    select row(e.action, 'user', n.user_id, e.changes, null)::audit_entry from o join n on n.id = o.id
    cross join lateral (values
      (case when is_reset then 'password.reset' when o.password is null then 'password.set' else 'password.changed' end,
        '{}'::jsonb, n.password is distinct from o.password),
      ('account.linked', audit_diff(
          jsonb_build_object('providerId', o.provider_id, 'accountId', o.account_id, 'userId', o.user_id),
          jsonb_build_object('providerId', n.provider_id, 'accountId', n.account_id, 'userId', n.user_id)),
        (n.provider_id, n.account_id, n.user_id) <> (o.provider_id, o.account_id, o.user_id))
    ) as e (action, changes, is_so) where e.is_so limit 1001
  ), (select count(*) from n));
  return null;
end
$$;
create trigger account_audit_updated after update on account
  referencing old table as o new table as n for each statement execute function account_audit_updated();

-- With the user their accounts go, which has an event.
create function account_audit_deleted() returns trigger
language plpgsql as $$
begin
  perform audit_rows(array(
    select row('account.unlinked', 'user', o.user_id, audit_diff(
      jsonb_build_object('providerId', o.provider_id, 'accountId', o.account_id), '{}'), null)::audit_entry
    from o join "user" on "user".id = o.user_id limit 1001
  ), (select count(*) from o));
  return null;
end
$$;
create trigger account_audit_deleted after delete on account
  referencing old table as o for each statement execute function account_audit_deleted();

create function audit_client(c oauth_client) returns jsonb
language sql immutable as $$
  select jsonb_build_object('name', c.name, 'uri', c.uri, 'disabled', c.disabled, 'redirectUris', c.redirect_uris,
    'postLogoutRedirectUris', c.post_logout_redirect_uris, 'scopes', c.scopes, 'clientCredentialsScopes',
    c.client_credentials_scopes, 'grantTypes', c.grant_types, 'responseTypes', c.response_types, 'skipConsent',
    c.skip_consent, 'requirePkce', c.require_pkce, 'enableEndSession', c.enable_end_session, 'tokenEndpointAuthMethod',
    c.token_endpoint_auth_method, 'jwks', c.jwks, 'jwksUri', c.jwks_uri, 'backchannelLogoutUri',
    c.backchannel_logout_uri, 'subjectType', c.subject_type, 'metadata', c.metadata, 'configured', c.is_configured)
$$;

create function client_audit_inserted() returns trigger
language plpgsql as $$
begin
  perform audit_rows(array(
    select row('client.created', 'client', n.client_id, audit_diff('{}', audit_client(n)), null)::audit_entry from n
    limit 1001
  ), (select count(*) from n));
  return null;
end
$$;
create trigger client_audit_inserted after insert on oauth_client
  referencing new table as n for each statement execute function client_audit_inserted();

create function client_audit_updated() returns trigger
language plpgsql as $$
begin
  perform audit_rows(array(
    select row(e.action, 'client', n.client_id, e.changes, null)::audit_entry from o join n on n.id = o.id
    cross join lateral (values
      ('client.updated', audit_diff(audit_client(o), audit_client(n)), audit_client(n) <> audit_client(o)),
      ('client.secret_rotated', '{}', n.client_secret is distinct from o.client_secret)
    ) as e (action, changes, is_so) where e.is_so limit 1001
  ), (select count(*) from n));
  return null;
end
$$;
create trigger client_audit_updated after update on oauth_client
  referencing old table as o new table as n for each statement execute function client_audit_updated();

create function client_audit_deleted() returns trigger
language plpgsql as $$
begin
  perform audit_rows(array(
    select row('client.deleted', 'client', o.client_id, audit_diff(audit_client(o), '{}'), null)::audit_entry from o
    limit 1001
  ), (select count(*) from o));
  return null;
end
$$;
create trigger client_audit_deleted after delete on oauth_client
  referencing old table as o for each statement execute function client_audit_deleted();

create function grant_audit_inserted() returns trigger
language plpgsql as $$
begin
  perform audit_rows(array(
    select row(case tg_table_name when 'oauth_grant' then 'grant.created' else 'consent.given' end, 'user', n.user_id,
      audit_diff('{}', jsonb_build_object('clientId', n.client_id, 'scopes', n.scopes)), null)::audit_entry
    from n limit 1001
  ), (select count(*) from n));
  return null;
end
$$;
create trigger grant_audit_inserted after insert on oauth_grant
  referencing new table as n for each statement execute function grant_audit_inserted();
create trigger consent_audit_inserted after insert on oauth_consent
  referencing new table as n for each statement execute function grant_audit_inserted();

create function grant_audit_updated() returns trigger
language plpgsql as $$
begin
  perform audit_rows(array(
    select row(case
        when n.ended_at is not null then 'grant.ended'
        when o.ended_at is not null then 'grant.created'
        else 'grant.updated'
      end, 'user', n.user_id,
      audit_diff(
        case when o.ended_at is null then jsonb_build_object('scopes', o.scopes) else '{}' end,
        case when n.ended_at is null then jsonb_build_object('scopes', n.scopes) else '{}' end)
        || jsonb_build_object('clientId', jsonb_build_object('from', o.client_id, 'to', n.client_id)), null)::audit_entry
    from o join n on n.user_id = o.user_id and n.client_id = o.client_id
    where (n.ended_at is null) <> (o.ended_at is null)
      or n.ended_at is null and not (n.scopes @> o.scopes and o.scopes @> n.scopes)
    limit 1001
  ), (select count(*) from n));
  return null;
end
$$;
create trigger grant_audit_updated after update on oauth_grant
  referencing old table as o new table as n for each statement execute function grant_audit_updated();

create function consent_audit_updated() returns trigger
language plpgsql as $$
begin
  perform audit_rows(array(
    select row('consent.given', 'user', n.user_id, audit_diff(jsonb_build_object('scopes', o.scopes),
        jsonb_build_object('scopes', n.scopes))
        || jsonb_build_object('clientId', jsonb_build_object('from', o.client_id, 'to', n.client_id)), null)::audit_entry
    from o join n on n.id = o.id where n.scopes <> o.scopes limit 1001
  ), (select count(*) from n));
  return null;
end
$$;
create trigger consent_audit_updated after update on oauth_consent
  referencing old table as o new table as n for each statement execute function consent_audit_updated();

-- A user or a client who goes takes them along, and has an event.
create function consent_audit_deleted() returns trigger
language plpgsql as $$
begin
  perform audit_rows(array(
    select row('consent.withdrawn', 'user', o.user_id, audit_diff(
      jsonb_build_object('clientId', o.client_id, 'scopes', o.scopes), '{}'), null)::audit_entry
    from o join "user" on "user".id = o.user_id join oauth_client as c on c.client_id = o.client_id limit 1001
  ), (select count(*) from o));
  return null;
end
$$;
create trigger consent_audit_deleted after delete on oauth_consent
  referencing old table as o for each statement execute function consent_audit_deleted();

create function grant_audit_deleted() returns trigger
language plpgsql as $$
begin
  perform audit_rows(array(
    select row('grant.ended', 'user', o.user_id, audit_diff(
      jsonb_build_object('clientId', o.client_id, 'scopes', o.scopes), '{}'), null)::audit_entry
    from o join "user" on "user".id = o.user_id where o.ended_at is null limit 1001
  ), (select count(*) from o));
  return null;
end
$$;
create trigger grant_audit_deleted after delete on oauth_grant
  referencing old table as o for each statement execute function grant_audit_deleted();

create function audit_key(k jwks) returns jsonb
language sql immutable as $$
  select jsonb_build_object('alg', k.alg, 'activeAt', audit_time(k.active_at), 'expiresAt', audit_time(k.expires_at),
    'publicKey', k.public_key)
$$;

create function jwks_audit_inserted() returns trigger
language plpgsql as $$
begin
  perform audit_rows(array(
    select row('key.created', 'key', n.id, audit_diff('{}', audit_key(n)), null)::audit_entry from n limit 1001
  ), (select count(*) from n));
  return null;
end
$$;
create trigger jwks_audit_inserted after insert on jwks
  referencing new table as n for each statement execute function jwks_audit_inserted();

create function jwks_audit_updated() returns trigger
language plpgsql as $$
begin
  perform audit_rows(array(
    select row('key.updated', 'key', n.id, audit_diff(audit_key(o), audit_key(n)), null)::audit_entry
    from o join n on n.id = o.id
    where (audit_key(n), n.private_key) is distinct from (audit_key(o), o.private_key) limit 1001
  ), (select count(*) from n));
  return null;
end
$$;
create trigger jwks_audit_updated after update on jwks
  referencing old table as o new table as n for each statement execute function jwks_audit_updated();

create function jwks_audit_deleted() returns trigger
language plpgsql as $$
begin
  perform audit_rows(array(
    select row('key.removed', 'key', o.id, audit_diff(audit_key(o), '{}'), null)::audit_entry from o limit 1001
  ), (select count(*) from o));
  return null;
end
$$;
create trigger jwks_audit_deleted after delete on jwks
  referencing old table as o for each statement execute function jwks_audit_deleted();

-- The triggers know a row before and after by its key: one that got another key would have changed untold.
create function audit_key_stays() returns trigger
language plpgsql as $$
begin
  raise exception 'the key of a row stays as it is' using errcode = '42501';
end
$$;
create trigger user_key_stays before update of id on "user"
  for each row when (new.id <> old.id) execute function audit_key_stays();
create trigger session_key_stays before update of id on session
  for each row when (new.id <> old.id) execute function audit_key_stays();
create trigger account_key_stays before update of id on account
  for each row when (new.id <> old.id) execute function audit_key_stays();
create trigger client_key_stays before update of id, client_id on oauth_client
  for each row when ((new.id, new.client_id) <> (old.id, old.client_id)) execute function audit_key_stays();
create trigger grant_key_stays before update of user_id, client_id on oauth_grant
  for each row when ((new.user_id, new.client_id) <> (old.user_id, old.client_id)) execute function audit_key_stays();
create trigger consent_key_stays before update of id, user_id, client_id on oauth_consent
  for each row when ((new.id, new.user_id, new.client_id) is distinct from (old.id, old.user_id, old.client_id))
  execute function audit_key_stays();
create trigger jwks_key_stays before update of id on jwks
  for each row when (new.id <> old.id) execute function audit_key_stays();

-- TRUNCATE fires no other trigger.
create function audit_truncated() returns trigger
language plpgsql as $$
declare
  rows bigint;
begin
  execute format('select count(*) from %I', tg_table_name) into rows;
  if rows > 0 then
    perform audit_note(array[row(tg_argv[0], tg_argv[1], null,
      jsonb_build_object('count', jsonb_build_object('from', null, 'to', rows)), 'truncated')::audit_entry]);
  end if;
  return null;
end
$$;
create trigger user_audit_truncated before truncate on "user"
  for each statement execute function audit_truncated('user.deleted', 'user');
create trigger session_audit_truncated before truncate on session
  for each statement execute function audit_truncated('session.ended', 'user');
create trigger account_audit_truncated before truncate on account
  for each statement execute function audit_truncated('account.unlinked', 'user');
create trigger client_audit_truncated before truncate on oauth_client
  for each statement execute function audit_truncated('client.deleted', 'client');
create trigger grant_audit_truncated before truncate on oauth_grant
  for each statement execute function audit_truncated('grant.ended', 'user');
create trigger consent_audit_truncated before truncate on oauth_consent
  for each statement execute function audit_truncated('consent.withdrawn', 'user');
create trigger jwks_audit_truncated before truncate on jwks
  for each statement execute function audit_truncated('key.removed', 'key');

-- The log is only added to, by the chain; from its start goes what `audit_prune` removes.
create function audit_refuse() returns trigger
language plpgsql as $$
begin
  -- Within another trigger it is the chain.
  if tg_op in ('INSERT', 'DELETE') and pg_trigger_depth() > 1 then return null; end if;
  raise exception 'the audit log is only added to, by what happens' using errcode = '42501';
end
$$;
create trigger audit_event_append_only before insert or update or truncate on audit_event
  for each statement execute function audit_refuse();
create trigger audit_head_stays before insert or delete or truncate on audit_head
  for each statement execute function audit_refuse();
create trigger audit_pending_stays before update or delete or truncate on audit_pending
  for each statement execute function audit_refuse();

create function audit_event_deleted() returns trigger
language plpgsql as $$
begin
  if exists (select from o where seq >= (select first_seq from audit_head)) then
    raise exception 'the audit log is only added to, by what happens' using errcode = '42501';
  end if;
  return null;
end
$$;
create trigger audit_event_deleted after delete on audit_event
  referencing old table as o for each statement execute function audit_event_deleted();

create function audit_head_moves() returns trigger
language plpgsql as $$
declare
  removed_to timestamptz;
begin
  if (new.id, new.last_seq, new.last_hash, new.last_at) is distinct from (old.id, old.last_seq, old.last_hash, old.last_at)
    and pg_trigger_depth() = 1 then
    raise exception 'the audit log is only added to, by what happens' using errcode = '42501';
  end if;
  if (new.first_seq, new.first_hash) is distinct from (old.first_seq, old.first_hash) then
    select created_at into removed_to from audit_event where seq = new.first_seq - 1 and hash = new.first_hash;
    if not found or new.first_seq <= old.first_seq then
      raise exception 'the audit log begins after the events that are removed' using errcode = '42501';
    end if;
    perform audit_note(array[row('audit.pruned', null, null, jsonb_build_object('firstSeq',
      jsonb_build_object('from', old.first_seq, 'to', new.first_seq), 'removedTo',
      jsonb_build_object('from', null, 'to', audit_time(removed_to))), null)::audit_entry]);
  end if;
  return new;
end
$$;
create trigger audit_head_moves before update on audit_head
  for each row execute function audit_head_moves();

-- Removes up to so many of the oldest events that are from before a time, and says how many.
create function audit_prune(before timestamptz, most integer) returns integer
language plpgsql as $$
declare
  head audit_head;
  last bigint;
begin
  select * into strict head from audit_head for update;
  select max(seq) into last from (select seq, created_at from audit_event order by seq limit most) as oldest
    where created_at < before;
  if last is null then return 0; end if;
  update audit_head set first_seq = last + 1, first_hash = (select hash from audit_event where seq = last);
  delete from audit_event where seq <= last;
  return last + 1 - head.first_seq;
end
$$;
