-- The tokens of a grant end with it, whoever ends it: of an opaque access token nothing else is asked at userinfo.
create function oauth_grant_end_tokens() returns trigger
language plpgsql as $$
begin
  delete from oauth_access_token where user_id = old.user_id and client_id = old.client_id;
  delete from oauth_refresh_token where user_id = old.user_id and client_id = old.client_id;
  return null;
end
$$;
create trigger oauth_grant_end_tokens_on_update after update of ended_at on oauth_grant
  for each row when (old.ended_at is null and new.ended_at is not null) execute function oauth_grant_end_tokens();
create trigger oauth_grant_end_tokens_on_delete after delete on oauth_grant
  for each row execute function oauth_grant_end_tokens();
