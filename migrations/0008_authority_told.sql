-- What instances keep in memory is told whole: the user as callers see them, when sessions end, and what was revoked.

-- In the order in which a ban locks them.
lock table "user", session in access exclusive mode;

create or replace function user_notify_updated() returns trigger
language plpgsql as $$
begin
  perform notify_users(array(
    select o.id from o left join n on n.id = o.id where n is distinct from o
  ));
  return null;
end
$$;

-- Also when it ends later: who heard of the end before would take it for over.
create or replace function session_notify_updated() returns trigger
language plpgsql as $$
begin
  perform notify_users(array(
    select o.user_id from o left join n on n.id = o.id
    where (n.id, n.token, n.expires_at) is distinct from (o.id, o.token, o.expires_at)
  ));
  return null;
end
$$;

-- Nobody can have heard of a new session, and a notification at each sign-in would make commits queue.
drop trigger session_notify_inserted on session;
drop function session_notify_inserted();

-- The scopes of a grant decide whether its tokens outlive the session.
create or replace function oauth_grant_notify_updated() returns trigger
language plpgsql as $$
begin
  perform notify_users(array(
    select o.user_id from o left join n on n.user_id = o.user_id and n.client_id = o.client_id
    where (n.scopes, n.ended_at, n.valid_after) is distinct from (o.scopes, o.ended_at, o.valid_after)
  ));
  return null;
end
$$;

-- Those that ended a moment ago by our clock may go on by that of an instance.
create or replace function session_notify_deleted() returns trigger
language plpgsql as $$
begin
  perform notify_users(array(select user_id from o where expires_at > now() - interval '5 minutes'));
  return null;
end
$$;

drop trigger oauth_client_notify_updated on oauth_client;
create trigger oauth_client_notify_updated after update on oauth_client
  for each row when (
    (new.client_id, new.disabled, new.valid_after, new.scopes, new.client_credentials_scopes)
      is distinct from (old.client_id, old.disabled, old.valid_after, old.scopes, old.client_credentials_scopes)
  ) execute function oauth_client_notify();

-- 'token:<jti>' for an access token that its client gave back.
create function oauth_revoked_token_notify() returns trigger
language plpgsql as $$
begin
  perform pg_notify('authority', 'token:' || new.jti);
  return null;
end
$$;
create trigger oauth_revoked_token_notify after insert on oauth_revoked_token
  for each row execute function oauth_revoked_token_notify();

-- TRUNCATE fires no trigger of a row.
create function authority_notify_truncated() returns trigger
language plpgsql as $$
begin
  perform pg_notify('authority', '*');
  return null;
end
$$;
create trigger user_notify_truncated after truncate on "user"
  for each statement execute function authority_notify_truncated();
create trigger session_notify_truncated after truncate on session
  for each statement execute function authority_notify_truncated();
create trigger oauth_client_notify_truncated after truncate on oauth_client
  for each statement execute function authority_notify_truncated();
create trigger oauth_grant_notify_truncated after truncate on oauth_grant
  for each statement execute function authority_notify_truncated();
create trigger jwks_notify_truncated after truncate on jwks
  for each statement execute function jwks_notify();
