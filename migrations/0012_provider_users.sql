-- Who has an account of a provider is in the index, as is (with that of 0009) whether one user has.
create index account_provider_id_idx on account (provider_id) include (user_id);
