-- Erasures of users: what is still to be done, and later the proof that it was.
CREATE TABLE erasure (
  id           uuid PRIMARY KEY,
  -- A random name that leads to nobody once the account is gone. It answers repeats, and it tells
  -- whom to erase again when a backup was restored.
  user_id      uuid NOT NULL,
  step         text NOT NULL,
  -- Stands for the user in the ledger. Forgotten at the end, so that no way leads from one to the other.
  pseudonym    uuid,
  -- Sessions whose access tokens may be alive; emptied when the edges have been told.
  sessions     uuid[] NOT NULL,
  requested_at timestamptz NOT NULL,
  completed_at timestamptz,
  due_at       timestamptz NOT NULL,
  -- Since the last step that was completed.
  tries        integer NOT NULL DEFAULT 0,
  CONSTRAINT one_erasure_a_user UNIQUE (user_id),
  CONSTRAINT step_known CHECK (step IN ('sessions', 'jobs', 'billing', 'done')),
  CONSTRAINT done_is_final CHECK ((step = 'done') = (completed_at IS NOT NULL)),
  CONSTRAINT pseudonym_is_forgotten CHECK ((step = 'done') = (pseudonym IS NULL)),
  CONSTRAINT sessions_are_told CHECK (step = 'sessions' OR sessions = '{}')
);

CREATE INDEX erasure_due ON erasure (due_at) WHERE completed_at IS NULL;

-- Removes an account with its sessions and tokens, and writes down what follows from it. Without an
-- account nothing happens.
CREATE FUNCTION erase_account(
  p_id uuid, p_user uuid, p_pseudonym uuid, p_token_lifetime interval, p_now timestamptz
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_now timestamptz := coalesce(p_now, clock_timestamp());
BEGIN
  -- A sign-in that is under way refers to this row: it is seen below, or refused afterwards.
  PERFORM FROM user_account WHERE id = p_user FOR UPDATE;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  INSERT INTO erasure (id, user_id, step, pseudonym, sessions, requested_at, due_at)
  VALUES (p_id, p_user, 'sessions', p_pseudonym,
          ARRAY(SELECT id FROM user_session
                WHERE user_id = p_user AND last_used_at > v_now - p_token_lifetime),
          v_now, v_now);
  DELETE FROM refresh_token t USING user_session s WHERE s.id = t.session_id AND s.user_id = p_user;
  DELETE FROM user_session WHERE user_id = p_user;
  DELETE FROM user_account WHERE id = p_user;
END $$;
