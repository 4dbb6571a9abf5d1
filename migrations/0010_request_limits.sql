-- What all instances have counted of a client's requests. Not logged: after a crash of the server counting begins anew.
create unlogged table request_count (
  key text primary key,
  requests integer not null,
  ends_at timestamptz not null
);
create index request_count_ends_at_idx on request_count (ends_at);
