-- The audit log. Triggers write it, so that no door passes it, SQL included; each event is chained to the one before it.
-- Here is the log; those that follow have the triggers.

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

-- The lock of the head is the last that a transaction takes: who holds it waits for nobody. All who write wait for it, at
-- most for a batch of `audit_prune`.
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
-- it is somebody with SQL. Who proves to be somebody by what they do acts as that one, or as who acted as them, and has
-- proven nothing where it is refused. A ban that is over the service lifts at a sign-in.
create function audit_note(entries audit_entry[]) returns void
language plpgsql as $$
declare
  context jsonb := nullif(current_setting('latchkey.audit', true), '')::jsonb;
  proves boolean := coalesce(context ->> 'proves' = 'true', false);
begin
  insert into audit_pending (action, actor_type, actor_id, client_id, target_type, target_id, changes, reason,
    request_id, ip_address, user_agent)
  select e.action,
    case
      when context is null or proves and e.action = 'user.unbanned' then 'system'
      else coalesce(context ->> 'actorType', 'user')
    end,
    case
      when context is null then session_user::text
      when proves and e.action = 'user.unbanned' then 'upkeep'
      when proves and e.action in ('sign_in.failed', 'token.refused', 'token.reused') then null
      else coalesce(context ->> 'actorId', case
        when proves and e.target_type = 'user' then coalesce(e.changes #>> '{impersonatedBy,from}', e.target_id)
      end)
    end,
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

-- Of more than a thousand rows each kind of event is one, with how many rows there were. A row makes five events at most:
-- who asks notes no more than those of a thousand rows, and one.
create function audit_rows(entries audit_entry[], total bigint) returns void
language plpgsql as $$
begin
  if cardinality(entries) = 0 then return; end if;
  if cardinality(entries) > 1000 and total > 1000 then
    entries := array(
      select row(e.action, min(e.target_type), null,
        jsonb_build_object('count', jsonb_build_object('from', null, 'to', total)), null)::audit_entry
      from unnest(entries) with ordinality as e group by e.action order by min(e.ordinality)
    );
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

-- The triggers know a row before and after by its key: one that got another key would have changed untold.
create function audit_key_stays() returns trigger
language plpgsql as $$
begin
  raise exception 'the key of a row stays as it is' using errcode = '42501';
end
$$;

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
