-- Notices of the ends of jobs, to the addresses that their creators gave.
ALTER TABLE job ADD COLUMN webhook_url text;

-- Outbox: one row for each job that ended and has an address. Attempts go on until the receiver
-- answers 2xx or there have been enough of them; the row stays as the log.
CREATE TABLE webhook_delivery (
  -- Sent with every attempt, so that receivers recognise repeats.
  id           uuid PRIMARY KEY,
  job_id       uuid NOT NULL REFERENCES job ON DELETE CASCADE,
  user_id      uuid NOT NULL,
  url          text NOT NULL,
  -- Scheme, host and port: what shares one receiver.
  origin       text NOT NULL,
  state        text NOT NULL,
  -- Since the beginning, or since the last replay.
  attempts     integer NOT NULL DEFAULT 0,
  due_at       timestamptz NOT NULL,
  -- The attempt that is under way; another process takes over when it is not renewed.
  lease_id     uuid,
  leased_until timestamptz,
  last_status  integer,
  last_error   text,
  created_at   timestamptz NOT NULL,
  ended_at     timestamptz,
  CONSTRAINT one_delivery_a_job UNIQUE (job_id),
  CONSTRAINT state_known CHECK (state IN ('pending', 'delivered', 'dead')),
  CONSTRAINT final_has_time CHECK ((state <> 'pending') = (ended_at IS NOT NULL)),
  CONSTRAINT lease_is_complete CHECK ((lease_id IS NULL) = (leased_until IS NULL)),
  CONSTRAINT lease_is_pending CHECK (lease_id IS NULL OR state = 'pending')
);

CREATE INDEX webhook_delivery_due ON webhook_delivery (due_at, id) WHERE state = 'pending';
CREATE INDEX webhook_delivery_leased ON webhook_delivery (leased_until) WHERE leased_until IS NOT NULL;

-- However a job ends, its notice is written by the same transaction; jobs without an address cost
-- the condition alone. A job that was never admitted is unknown to its user.
CREATE FUNCTION enqueue_webhook() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO webhook_delivery (id, job_id, user_id, url, origin, state, due_at, created_at)
  VALUES (gen_random_uuid(), NEW.id, NEW.user_id, NEW.webhook_url,
          lower(substring(NEW.webhook_url FROM '^[^:]+://[^/?#]+')), 'pending', now(), now());
  RETURN NULL;
END $$;

CREATE TRIGGER enqueue_webhook AFTER UPDATE OF finished_at ON job FOR EACH ROW
  WHEN (OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL
        AND NEW.webhook_url IS NOT NULL AND NEW.admitted_at IS NOT NULL)
  EXECUTE FUNCTION enqueue_webhook();
