-- What those of 0009 do as well. By itself: it waits for whoever reads, which must not undo an index that took long to build.

-- user_role_created_at_id_idx begins with it.
drop index user_role_idx;
-- No two users have one address: the unique index is an order by itself.
drop index user_email_id_idx;
-- account_user_id_provider_id_idx begins with it.
drop index account_user_id_idx;
