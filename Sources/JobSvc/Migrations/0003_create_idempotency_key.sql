-- The first answer to a request with an Idempotency-Key. Without a response the request still runs.
CREATE TABLE idempotency_key (
  user_id     uuid NOT NULL,
  key         text NOT NULL,
  -- SHA-256 of the request in canonical form.
  fingerprint bytea NOT NULL,
  job_id      uuid NOT NULL,
  -- oneshot.jobs.v1.CreateJobResponse.
  response    bytea,
  created_at  timestamptz NOT NULL,
  PRIMARY KEY (user_id, key)
);

CREATE INDEX idempotency_key_age ON idempotency_key (created_at);
CREATE INDEX idempotency_key_of_job ON idempotency_key (job_id);
