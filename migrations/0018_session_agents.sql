-- Lists of sessions show what browsers call themselves: whoever signs in again and again makes them no larger than this.
create function session_cut_agent() returns trigger
language plpgsql as $$
begin
  new.user_agent := left(new.user_agent, 500);
  return new;
end
$$;
create trigger session_cut_agent before insert or update of user_agent on session
  for each row when (length(new.user_agent) > 500) execute function session_cut_agent();
update session set user_agent = user_agent where length(user_agent) > 500;
