-- With a new password end the sessions, too, in which its owner acts as others: whoever had the old one may have begun them.
create or replace function account_password_set() returns trigger
language plpgsql as $$
begin
  -- As a ban and a refresh begin: a token that is being made must be there first, to be deleted.
  perform 1 from "user" where id = new.user_id for no key update;
  delete from verification where value = new.user_id;
  if tg_op = 'UPDATE' or exists (
    select from "user" where id = new.user_id and xmin <> pg_current_xact_id()::xid
  ) then
    delete from session where user_id = new.user_id or impersonated_by = new.user_id;
    perform end_oauth_tokens(new.user_id);
    update "user" set valid_after = greatest(clock_timestamp(), valid_after) where id = new.user_id;
  end if;
  return null;
end
$$;
