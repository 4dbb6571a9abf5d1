-- Times are taken when a row is written, not when its transaction began, which may have waited for a lock since; and
-- they never go back.

create or replace function user_mark_banned() returns trigger
language plpgsql as $$
begin
  if is_banned(new.banned, new.ban_expires) then
    new.valid_after := greatest(clock_timestamp(), old.valid_after);
  end if;
  return new;
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
    update "user" set valid_after = greatest(clock_timestamp(), valid_after) where id = new.user_id;
  end if;
  return null;
end
$$;

-- A session that says it begins later would end later, too.
create or replace function session_open() returns trigger
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
  new.created_at := least(new.created_at, clock_timestamp());
  new.not_after := new.created_at + case
    when new.impersonated_by is not null then interval '1 hour'
    when new.expires_at <= new.created_at + interval '1 day 1 minute' then interval '1 day'
    else interval '30 days'
  end;
  new.expires_at := least(new.expires_at, new.not_after);
  return new;
end
$$;

-- TRUNCATE fires no trigger of a row.
create function user_keep_from_truncate() returns trigger
language plpgsql as $$
begin
  if exists (select from "user" where role = 'admin' and not is_banned(banned, ban_expires)) then
    raise exception 'there must always be an active admin' using errcode = '23514', constraint = 'last_admin';
  end if;
  return null;
end
$$;
create trigger user_keep_from_truncate before truncate on "user"
  for each statement execute function user_keep_from_truncate();
