-- Results by the content of their inputs and parameters, for each user apart.
CREATE TABLE result_cache (
  user_id      uuid NOT NULL,
  -- SHA-256 over the inputs' bytes, the canonical specification and the output policy.
  content_hash bytea NOT NULL,
  provider     text NOT NULL,
  -- The artifacts as oneshot.gpu.v1.RunSucceeded, encoded.
  result       bytea NOT NULL,
  created_at   timestamptz NOT NULL,
  used_at      timestamptz NOT NULL,
  PRIMARY KEY (user_id, content_hash)
);

CREATE INDEX result_cache_age ON result_cache (created_at);
