-- Opens a session with its first refresh token.
CREATE FUNCTION open_session(
  p_session uuid, p_user uuid, p_address text, p_agent text, p_hash bytea,
  p_token_lifetime interval, p_session_lifetime interval, p_now timestamptz
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_now timestamptz := coalesce(p_now, clock_timestamp());
BEGIN
  INSERT INTO user_session (id, user_id, client_address, user_agent, created_at, last_used_at,
                            expires_at)
  VALUES (p_session, p_user, p_address, p_agent, v_now, v_now, v_now + p_session_lifetime);
  INSERT INTO refresh_token (hash, session_id, issued_at, expires_at)
  VALUES (p_hash, p_session, v_now, v_now + p_token_lifetime);
END $$;

-- Spends a refresh token and stores its successor. outcome: rotated, unknown, expired, ended, or
-- reused: the token had been spent before, and the session is ended by this call.
CREATE FUNCTION rotate_refresh_token(
  p_hash bytea, p_successor bytea, p_token_lifetime interval, p_now timestamptz,
  OUT outcome text, OUT session uuid, OUT user_id uuid, OUT user_role text
) LANGUAGE plpgsql AS $$
DECLARE
  v_now     timestamptz := coalesce(p_now, clock_timestamp());
  v_token   refresh_token%ROWTYPE;
  v_session user_session%ROWTYPE;
BEGIN
  -- Two uses at once queue here, and the second finds the token spent.
  SELECT * INTO v_token FROM refresh_token t WHERE t.hash = p_hash FOR UPDATE;
  IF v_token.hash IS NULL THEN
    outcome := 'unknown';
    RETURN;
  END IF;
  SELECT * INTO v_session FROM user_session s WHERE s.id = v_token.session_id FOR UPDATE;
  session := v_session.id;
  user_id := v_session.user_id;
  SELECT u.role INTO user_role FROM user_account u WHERE u.id = v_session.user_id;
  IF v_session.revoked_at IS NOT NULL THEN
    outcome := 'ended';
  ELSIF v_token.used_at IS NOT NULL THEN
    outcome := 'reused';
    UPDATE user_session s SET revoked_at = v_now, revoked_reason = 'token_reused'
    WHERE s.id = v_session.id AND s.revoked_at IS NULL;
  ELSIF v_token.expires_at <= v_now OR v_session.expires_at <= v_now THEN
    outcome := 'expired';
  ELSE
    outcome := 'rotated';
    UPDATE refresh_token t SET used_at = v_now WHERE t.hash = p_hash AND t.used_at IS NULL;
    INSERT INTO refresh_token (hash, session_id, parent, issued_at, expires_at)
    VALUES (p_successor, v_session.id, p_hash, v_now,
            least(v_now + p_token_lifetime, v_session.expires_at));
    UPDATE user_session s SET last_used_at = v_now WHERE s.id = v_session.id;
  END IF;
END $$;
