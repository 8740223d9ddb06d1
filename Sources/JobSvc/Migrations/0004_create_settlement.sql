-- Outbox to BillingSvc: what becomes of the hold of a job that has ended. Written in the transaction
-- that ends the job, so that no end is forgotten; both calls are idempotent by the job's id.
CREATE TABLE settlement (
  job_id     uuid PRIMARY KEY REFERENCES job,
  user_id    uuid NOT NULL,
  action     text NOT NULL,
  -- Why the hold is released; 0 for a capture. Numbers of oneshot.billing.v1.ReleaseReason.
  reason     integer NOT NULL DEFAULT 0,
  tries      integer NOT NULL DEFAULT 0,
  due_at     timestamptz NOT NULL,
  settled_at timestamptz,
  -- State of the hold as BillingSvc answered it.
  outcome    text,
  CONSTRAINT action_known CHECK (action IN ('capture', 'release')),
  CONSTRAINT settled_has_outcome CHECK ((settled_at IS NULL) = (outcome IS NULL))
);

CREATE INDEX settlement_due ON settlement (due_at) WHERE settled_at IS NULL;
