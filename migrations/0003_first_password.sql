-- A password that an existing user gets for the first time, by reset or from an operator, ends what was started before
-- it as a changed one does. A user made in this same transaction has nothing to end.
create or replace function account_password_set() returns trigger
language plpgsql as $$
begin
  delete from verification where value = new.user_id;
  if tg_op = 'UPDATE' or exists (
    select from "user" where id = new.user_id and xmin <> pg_current_xact_id()::xid
  ) then
    delete from session where user_id = new.user_id;
    update "user" set valid_after = now() where id = new.user_id;
  end if;
  return null;
end
$$;
