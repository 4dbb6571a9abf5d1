-- What becomes of OAuth clients, grants, consents and signing keys is in the audit log.

-- In the order in which a ban locks them.
lock table oauth_client, oauth_grant, oauth_consent, jwks in share row exclusive mode;

create function audit_client(c oauth_client) returns jsonb
language sql immutable as $$
  select jsonb_build_object('name', c.name, 'uri', c.uri, 'icon', c.icon, 'contacts', c.contacts, 'tos', c.tos,
    'policy', c.policy, 'softwareId', c.software_id, 'softwareVersion', c.software_version, 'softwareStatement',
    c.software_statement, 'disabled', c.disabled, 'redirectUris', c.redirect_uris, 'postLogoutRedirectUris',
    c.post_logout_redirect_uris, 'scopes', c.scopes, 'clientCredentialsScopes', c.client_credentials_scopes,
    'grantTypes', c.grant_types, 'responseTypes', c.response_types, 'skipConsent', c.skip_consent, 'requirePkce',
    c.require_pkce, 'enableEndSession', c.enable_end_session, 'tokenEndpointAuthMethod', c.token_endpoint_auth_method,
    'applicationType', c.application_type, 'jwks', c.jwks, 'jwksUri', c.jwks_uri, 'backchannelLogoutUri',
    c.backchannel_logout_uri, 'backchannelLogoutSessionRequired', c.backchannel_logout_session_required, 'subjectType',
    c.subject_type, 'dpopBoundAccessTokens', c.dpop_bound_access_tokens, 'clientDiscoveryId', c.client_discovery_id,
    'referenceId', c.reference_id, 'validAfter', audit_time(c.valid_after), 'metadata', c.metadata, 'configured',
    c.is_configured)
$$;

create function client_audit_inserted() returns trigger
language plpgsql as $$
begin
  perform audit_rows(array(
    select row('client.created', 'client', n.client_id, audit_diff('{}', audit_client(n)), null)::audit_entry from n
    limit 1001
  ), (select count(*) from n));
  return null;
end
$$;
create trigger client_audit_inserted after insert on oauth_client
  referencing new table as n for each statement execute function client_audit_inserted();

create function client_audit_updated() returns trigger
language plpgsql as $$
begin
  perform audit_rows(array(
    select row(e.action, 'client', n.client_id, e.changes, null)::audit_entry from o join n on n.id = o.id
    cross join lateral (values
      ('client.updated', audit_diff(audit_client(o), audit_client(n)), audit_client(n) <> audit_client(o)),
      ('client.secret_rotated', '{}', n.client_secret is distinct from o.client_secret)
    ) as e (action, changes, is_so) where e.is_so limit 5001
  ), (select count(*) from n));
  return null;
end
$$;
create trigger client_audit_updated after update on oauth_client
  referencing old table as o new table as n for each statement execute function client_audit_updated();

create function client_audit_deleted() returns trigger
language plpgsql as $$
begin
  perform audit_rows(array(
    select row('client.deleted', 'client', o.client_id, audit_diff(audit_client(o), '{}'), null)::audit_entry from o
    limit 1001
  ), (select count(*) from o));
  return null;
end
$$;
create trigger client_audit_deleted after delete on oauth_client
  referencing old table as o for each statement execute function client_audit_deleted();

create function grant_audit_inserted() returns trigger
language plpgsql as $$
begin
  perform audit_rows(array(
    select row(case tg_table_name when 'oauth_grant' then 'grant.created' else 'consent.given' end, 'user', n.user_id,
      audit_diff('{}', jsonb_build_object('clientId', n.client_id, 'scopes', n.scopes)), null)::audit_entry
    from n limit 1001
  ), (select count(*) from n));
  return null;
end
$$;
create trigger grant_audit_inserted after insert on oauth_grant
  referencing new table as n for each statement execute function grant_audit_inserted();
create trigger consent_audit_inserted after insert on oauth_consent
  referencing new table as n for each statement execute function grant_audit_inserted();

create function grant_audit_updated() returns trigger
language plpgsql as $$
begin
  perform audit_rows(array(
    select row(case
        when n.ended_at is not null then 'grant.ended'
        when o.ended_at is not null then 'grant.created'
        else 'grant.updated'
      end, 'user', n.user_id,
      audit_diff(
        case when o.ended_at is null then jsonb_build_object('scopes', o.scopes) else '{}' end,
        case when n.ended_at is null then jsonb_build_object('scopes', n.scopes) else '{}' end)
        || jsonb_build_object('clientId', jsonb_build_object('from', o.client_id, 'to', n.client_id)), null)::audit_entry
    from o join n on n.user_id = o.user_id and n.client_id = o.client_id
    where (n.ended_at is null) <> (o.ended_at is null)
      or n.ended_at is null and not (n.scopes @> o.scopes and o.scopes @> n.scopes)
    limit 1001
  ), (select count(*) from n));
  return null;
end
$$;
create trigger grant_audit_updated after update on oauth_grant
  referencing old table as o new table as n for each statement execute function grant_audit_updated();

create function consent_audit_updated() returns trigger
language plpgsql as $$
begin
  perform audit_rows(array(
    select row('consent.given', 'user', n.user_id, audit_diff(jsonb_build_object('scopes', o.scopes),
        jsonb_build_object('scopes', n.scopes))
        || jsonb_build_object('clientId', jsonb_build_object('from', o.client_id, 'to', n.client_id)), null)::audit_entry
    from o join n on n.id = o.id where n.scopes <> o.scopes limit 1001
  ), (select count(*) from n));
  return null;
end
$$;
create trigger consent_audit_updated after update on oauth_consent
  referencing old table as o new table as n for each statement execute function consent_audit_updated();

-- A user or a client who goes takes them along, and has an event.
create function consent_audit_deleted() returns trigger
language plpgsql as $$
begin
  perform audit_rows(array(
    select row('consent.withdrawn', 'user', o.user_id, audit_diff(
      jsonb_build_object('clientId', o.client_id, 'scopes', o.scopes), '{}'), null)::audit_entry
    from o join "user" on "user".id = o.user_id join oauth_client as c on c.client_id = o.client_id limit 1001
  ), (select count(*) from o));
  return null;
end
$$;
create trigger consent_audit_deleted after delete on oauth_consent
  referencing old table as o for each statement execute function consent_audit_deleted();

-- A client who goes may take more along than there are to be events: then there is one, about the client.
create function grant_audit_deleted() returns trigger
language plpgsql as $$
declare
  ended bigint := (select count(*) from o join "user" on "user".id = o.user_id where o.ended_at is null);
begin
  perform audit_rows(case when ended <= 1000 then array(
    select row('grant.ended', 'user', o.user_id, audit_diff(
      jsonb_build_object('clientId', o.client_id, 'scopes', o.scopes), '{}'), null)::audit_entry
    from o join "user" on "user".id = o.user_id where o.ended_at is null
  ) else array(
    select row('grant.ended', 'client', o.client_id,
      jsonb_build_object('count', jsonb_build_object('from', null, 'to', count(*))), null)::audit_entry
    from o join "user" on "user".id = o.user_id where o.ended_at is null
    group by o.client_id order by o.client_id limit 1001
  ) end, ended);
  return null;
end
$$;
create trigger grant_audit_deleted after delete on oauth_grant
  referencing old table as o for each statement execute function grant_audit_deleted();

create function audit_key(k jwks) returns jsonb
language sql immutable as $$
  select jsonb_build_object('alg', k.alg, 'activeAt', audit_time(k.active_at), 'expiresAt', audit_time(k.expires_at),
    'publicKey', k.public_key)
$$;

create function jwks_audit_inserted() returns trigger
language plpgsql as $$
begin
  perform audit_rows(array(
    select row('key.created', 'key', n.id, audit_diff('{}', audit_key(n)), null)::audit_entry from n limit 1001
  ), (select count(*) from n));
  return null;
end
$$;
create trigger jwks_audit_inserted after insert on jwks
  referencing new table as n for each statement execute function jwks_audit_inserted();

create function jwks_audit_updated() returns trigger
language plpgsql as $$
begin
  perform audit_rows(array(
    select row('key.updated', 'key', n.id, audit_diff(audit_key(o), audit_key(n)), null)::audit_entry
    from o join n on n.id = o.id
    where (audit_key(n), n.private_key) is distinct from (audit_key(o), o.private_key) limit 1001
  ), (select count(*) from n));
  return null;
end
$$;
create trigger jwks_audit_updated after update on jwks
  referencing old table as o new table as n for each statement execute function jwks_audit_updated();

create function jwks_audit_deleted() returns trigger
language plpgsql as $$
begin
  perform audit_rows(array(
    select row('key.removed', 'key', o.id, audit_diff(audit_key(o), '{}'), null)::audit_entry from o limit 1001
  ), (select count(*) from o));
  return null;
end
$$;
create trigger jwks_audit_deleted after delete on jwks
  referencing old table as o for each statement execute function jwks_audit_deleted();

create trigger client_key_stays before update of id, client_id on oauth_client
  for each row when ((new.id, new.client_id) <> (old.id, old.client_id)) execute function audit_key_stays();
create trigger grant_key_stays before update of user_id, client_id on oauth_grant
  for each row when ((new.user_id, new.client_id) <> (old.user_id, old.client_id)) execute function audit_key_stays();
create trigger consent_key_stays before update of id, user_id, client_id on oauth_consent
  for each row when ((new.id, new.user_id, new.client_id) is distinct from (old.id, old.user_id, old.client_id))
  execute function audit_key_stays();
create trigger jwks_key_stays before update of id on jwks
  for each row when (new.id <> old.id) execute function audit_key_stays();

create trigger client_audit_truncated before truncate on oauth_client
  for each statement execute function audit_truncated('client.deleted', 'client');
create trigger grant_audit_truncated before truncate on oauth_grant
  for each statement execute function audit_truncated('grant.ended', 'user');
create trigger consent_audit_truncated before truncate on oauth_consent
  for each statement execute function audit_truncated('consent.withdrawn', 'user');
create trigger jwks_audit_truncated before truncate on jwks
  for each statement execute function audit_truncated('key.removed', 'key');
