-- A temporary table is found before one of the schema: who makes one named as a table of ours must not lead a function to it.
do $$
declare
  own text;
begin
  foreach own in array array[
    'account_audit_deleted', 'account_audit_inserted', 'account_audit_updated', 'account_password_set', 'audit_chain',
    'audit_event_deleted', 'audit_head_moves', 'audit_key_stays', 'audit_note', 'audit_one', 'audit_prune',
    'audit_refuse', 'audit_rows', 'audit_sessions_ended', 'audit_truncated', 'authority_notify_truncated',
    'client_audit_deleted', 'client_audit_inserted', 'client_audit_updated', 'consent_audit_deleted',
    'consent_audit_updated', 'end_oauth_tokens', 'grant_audit_deleted', 'grant_audit_inserted', 'grant_audit_updated',
    'hold_client', 'jwks_audit_deleted', 'jwks_audit_inserted', 'jwks_audit_updated', 'jwks_notify', 'lock_authority',
    'lock_client', 'notify_users', 'oauth_assert_not_banned', 'oauth_client_disable', 'oauth_client_notify',
    'oauth_grant_end_tokens', 'oauth_grant_notify_deleted', 'oauth_grant_notify_updated', 'oauth_refresh_token_open',
    'oauth_revoked_token_notify', 'session_audit_deleted', 'session_audit_inserted', 'session_audit_updated',
    'session_cut_agent', 'session_end_oauth_tokens', 'session_notify_deleted', 'session_notify_updated',
    'session_open', 'session_slide', 'user_audit_deleted', 'user_audit_inserted', 'user_audit_updated',
    'user_drop_verifications', 'user_end_sessions', 'user_keep_an_admin', 'user_keep_from_truncate',
    'user_lock_authority', 'user_mark_banned', 'user_notify_deleted', 'user_notify_updated'
  ] loop
    execute format('alter function %I.%I set search_path = %I, pg_temp', current_schema(), own, current_schema());
  end loop;
end
$$;
