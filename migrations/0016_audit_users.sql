-- What becomes of users, sessions and ways to sign in is in the audit log.

-- In the order in which a ban locks them.
lock table "user", session, account in share row exclusive mode;

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
    where e.before <> e.after limit 5001
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
  callers text;
begin
  get diagnostics callers = pg_context;
  perform audit_rows(array(
    select row('session.ended', 'user', e.user_id, audit_diff(jsonb_build_object(
        'sessionIds', to_jsonb(e.ids[1:100]), 'impersonatedBy', e.impersonated_by), '{}')
        || jsonb_build_object('count', jsonb_build_object('from', null, 'to', cardinality(e.ids))),
      case
        when u.id is null then 'user-deleted'
        when is_banned(u.banned, u.ban_expires) then 'banned'
        when callers like '%account_password_set(%' then 'password'
        -- Who was deleted ends them by a foreign key, who was banned or has another role by a trigger.
        when e.impersonated_by is not null and (i.id is null or pg_trigger_depth() > 1) then 'impersonator'
        else coalesce(ending, 'revoked')
      end)::audit_entry
    from (
      select user_id, impersonated_by, array_agg(id order by created_at desc, id) as ids from unnest(ended)
      group by user_id, impersonated_by order by user_id limit 1001
    ) as e left join "user" as u on u.id = e.user_id left join "user" as i on i.id = e.impersonated_by
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
    ) as e (action, changes, is_so) where e.is_so limit 5001
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
    ) as e (action, changes, is_so) where e.is_so limit 5001
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

create trigger user_key_stays before update of id on "user"
  for each row when (new.id <> old.id) execute function audit_key_stays();
create trigger session_key_stays before update of id on session
  for each row when (new.id <> old.id) execute function audit_key_stays();
create trigger account_key_stays before update of id on account
  for each row when (new.id <> old.id) execute function audit_key_stays();

create trigger user_audit_truncated before truncate on "user"
  for each statement execute function audit_truncated('user.deleted', 'user');
create trigger session_audit_truncated before truncate on session
  for each statement execute function audit_truncated('session.ended', 'user');
create trigger account_audit_truncated before truncate on account
  for each statement execute function audit_truncated('account.unlinked', 'user');
