-- Users who are erased, or being erased: nothing of theirs is taken in any more. The name alone stays,
-- so that nothing late brings the user back.
CREATE TABLE erased_user (
  user_id    uuid PRIMARY KEY,
  erased_at  timestamptz NOT NULL,
  -- The transaction that wrote the row; statements that are older may still bring something.
  written_by xid8 NOT NULL DEFAULT pg_current_xact_id()
);

-- Jobs that ended before they were admitted, which no user sees.
CREATE INDEX job_unadmitted_of_user ON job (user_id)
  WHERE state = 'cancelled' AND admitted_at IS NULL;
