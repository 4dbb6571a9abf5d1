-- The invariants of users and sessions, below every door: Better-Auth's endpoints, /api/v1 and psql alike.

create function is_banned(banned boolean, ban_expires timestamptz) returns boolean
language sql stable as $$
  select banned and (ban_expires is null or ban_expires > now())
$$;

-- Serialises changes of authority. Taken before any row is locked, so that two admins demoting each other
-- queue here instead of deadlocking on each other's rows.
create function lock_authority() returns void
language sql volatile as $$
  select pg_advisory_xact_lock(4207849484)
$$;

create function user_lock_authority() returns trigger
language plpgsql as $$
begin
  perform lock_authority();
  return null;
end
$$;
create trigger user_lock_on_update before update of role, banned, ban_expires on "user"
  for each statement execute function user_lock_authority();
create trigger user_lock_on_delete before delete on "user"
  for each statement execute function user_lock_authority();

-- Refuses to leave no active admin. `for update` makes a REPEATABLE READ transaction with an old snapshot fail too.
create function user_keep_an_admin() returns trigger
language plpgsql as $$
begin
  if old.role <> 'admin' or is_banned(old.banned, old.ban_expires) then
    return coalesce(new, old);
  end if;
  if tg_op = 'UPDATE' and new.role = 'admin' and not is_banned(new.banned, new.ban_expires) then
    return new;
  end if;
  perform 1 from "user"
    where role = 'admin' and id <> old.id and not is_banned(banned, ban_expires)
    order by id limit 1
    for update;
  if not found then
    raise exception 'there must always be an active admin' using errcode = '23514', constraint = 'last_admin';
  end if;
  return coalesce(new, old);
end
$$;
create trigger user_keep_an_admin_on_update before update of role, banned, ban_expires on "user"
  for each row when (old.role = 'admin') execute function user_keep_an_admin();
create trigger user_keep_an_admin_on_delete before delete on "user"
  for each row when (old.role = 'admin') execute function user_keep_an_admin();

create function user_mark_banned() returns trigger
language plpgsql as $$
begin
  if is_banned(new.banned, new.ban_expires) then
    new.valid_after := now();
  end if;
  return new;
end
$$;
create trigger user_mark_banned before update of banned, ban_expires on "user"
  for each row execute function user_mark_banned();

-- A banned user keeps no session, neither their own nor one they impersonate; a role that changed impersonates nobody.
create function user_end_sessions() returns trigger
language plpgsql as $$
begin
  if is_banned(new.banned, new.ban_expires) then
    delete from session where user_id = new.id or impersonated_by = new.id;
  elsif new.role <> old.role then
    delete from session where impersonated_by = new.id;
  end if;
  return null;
end
$$;
create trigger user_end_sessions after update of role, banned, ban_expires on "user"
  for each row execute function user_end_sessions();

-- A link mailed to the old address must not work once the address has changed.
create function user_drop_verifications() returns trigger
language plpgsql as $$
begin
  delete from verification where value = new.id;
  return null;
end
$$;
create trigger user_drop_verifications after update of email on "user"
  for each row when (old.email <> new.email) execute function user_drop_verifications();

-- A new password ends what the old one could have started.
create function account_password_set() returns trigger
language plpgsql as $$
begin
  delete from verification where value = new.user_id;
  if tg_op = 'UPDATE' then
    delete from session where user_id = new.user_id;
    update "user" set valid_after = now() where id = new.user_id;
  end if;
  return null;
end
$$;
create trigger account_password_inserted after insert on account
  for each row when (new.password is not null) execute function account_password_set();
create trigger account_password_updated after update of password on account
  for each row when (new.password is distinct from old.password) execute function account_password_set();

-- Refuses a session for, or impersonated by, a banned user. `for share` waits for a ban under way, so that a
-- sign-in that raced it leaves nothing behind. The lifetime is fixed here: 30 days, 1 day when the browser is not
-- to be remembered (Better-Auth then asks for no more), 1 hour impersonated.
create function session_open() returns trigger
language plpgsql as $$
declare
  u record;
begin
  for u in
    select is_banned(banned, ban_expires) as banned from "user"
    where id in (new.user_id, new.impersonated_by) order by id for share
  loop
    if u.banned then
      raise exception 'the user is banned' using errcode = '23514', constraint = 'user_banned';
    end if;
  end loop;
  new.not_after := new.created_at + case
    when new.impersonated_by is not null then interval '1 hour'
    when new.expires_at <= new.created_at + interval '1 day 1 minute' then interval '1 day'
    else interval '30 days'
  end;
  new.expires_at := least(new.expires_at, new.not_after);
  return new;
end
$$;
create trigger session_open before insert on session
  for each row execute function session_open();

create function session_slide() returns trigger
language plpgsql as $$
begin
  new.user_id := old.user_id;
  new.created_at := old.created_at;
  new.impersonated_by := old.impersonated_by;
  new.not_after := old.not_after;
  new.expires_at := least(new.expires_at, old.not_after);
  return new;
end
$$;
create trigger session_slide before update on session
  for each row execute function session_slide();

-- Tells every instance whose authority was touched: 'user:<id>', 'jwks', or '*' for many.
create function notify_users(ids text[]) returns void
language plpgsql as $$
begin
  if cardinality(ids) > 100 then
    perform pg_notify('authority', '*');
  else
    perform pg_notify('authority', 'user:' || id) from (select distinct unnest(ids) as id) as touched;
  end if;
end
$$;

create function user_notify_updated() returns trigger
language plpgsql as $$
begin
  perform notify_users(array(
    select o.id from o join n on n.id = o.id
    where (n.role, n.banned, n.ban_expires, n.valid_after) is distinct from (o.role, o.banned, o.ban_expires, o.valid_after)
  ));
  return null;
end
$$;
create trigger user_notify_updated after update on "user"
  referencing old table as o new table as n for each statement execute function user_notify_updated();

create function user_notify_deleted() returns trigger
language plpgsql as $$
begin
  perform notify_users(array(select id from o));
  return null;
end
$$;
create trigger user_notify_deleted after delete on "user"
  referencing old table as o for each statement execute function user_notify_deleted();

create function session_notify_inserted() returns trigger
language plpgsql as $$
begin
  perform notify_users(array(select user_id from n));
  return null;
end
$$;
create trigger session_notify_inserted after insert on session
  referencing new table as n for each statement execute function session_notify_inserted();

create function session_notify_updated() returns trigger
language plpgsql as $$
begin
  perform notify_users(array(select o.user_id from o join n on n.id = o.id where n.expires_at < o.expires_at));
  return null;
end
$$;
create trigger session_notify_updated after update on session
  referencing old table as o new table as n for each statement execute function session_notify_updated();

-- Rows that had expired already change nobody's authority: sweeping them must not flush caches.
create function session_notify_deleted() returns trigger
language plpgsql as $$
begin
  perform notify_users(array(select user_id from o where expires_at > now()));
  return null;
end
$$;
create trigger session_notify_deleted after delete on session
  referencing old table as o for each statement execute function session_notify_deleted();

create function jwks_notify() returns trigger
language plpgsql as $$
begin
  perform pg_notify('authority', 'jwks');
  return null;
end
$$;
create trigger jwks_notify after insert or update or delete on jwks
  for each statement execute function jwks_notify();
