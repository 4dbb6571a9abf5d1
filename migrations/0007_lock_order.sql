-- Locks are taken in one order, so that no two wait for each other: authority, the client, the user, then what is theirs.

-- Requests of a client share its lock; whoever changes it waits for those under way, and later ones for that change.
-- Its row held `for share` by one after the other would keep the change waiting for ever.
create function hold_client(client_id text) returns void
language sql volatile as $$
  select pg_advisory_xact_lock_shared(hashtextextended('client ' || client_id, 0))
$$;

create function lock_client(client_id text) returns void
language sql volatile as $$
  select pg_advisory_xact_lock(hashtextextended('client ' || client_id, 0))
$$;

create or replace function oauth_client_disable() returns trigger
language plpgsql as $$
begin
  -- A token that is being made must be there first, to be deleted.
  perform lock_client(new.client_id);
  new.valid_after := clock_timestamp();
  delete from oauth_access_token where client_id = new.client_id;
  delete from oauth_refresh_token where client_id = new.client_id;
  return new;
end
$$;

-- An update locks the account before its user, and the end of a user the other way about.
create trigger account_lock_on_password before update of password on account
  for each statement execute function user_lock_authority();

create or replace function account_password_set() returns trigger
language plpgsql as $$
begin
  -- As a ban and a refresh begin: a token that is being made must be there first, to be deleted.
  perform 1 from "user" where id = new.user_id for no key update;
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
