-- Users and their sessions.

CREATE TABLE user_account (
  id              uuid PRIMARY KEY,
  -- As it was typed, with the domain in lower case; mails go here.
  email           text NOT NULL,
  -- What makes two addresses the same.
  email_canonical text NOT NULL,
  name            text,
  password_hash   text NOT NULL,
  role            text NOT NULL DEFAULT 'user',
  created_at      timestamptz NOT NULL,
  updated_at      timestamptz NOT NULL,
  CONSTRAINT email_once UNIQUE (email_canonical),
  CONSTRAINT email_length CHECK (octet_length(email) <= 254),
  CONSTRAINT role_known CHECK (role IN ('user', 'admin'))
);

-- A session is also the family of its refresh tokens: it ends as a whole.
CREATE TABLE user_session (
  id                   uuid PRIMARY KEY,
  user_id              uuid NOT NULL REFERENCES user_account (id),
  client_address       text,
  user_agent           text,
  created_at           timestamptz NOT NULL,
  last_used_at         timestamptz NOT NULL,
  -- No refresh lets it live longer than this.
  expires_at           timestamptz NOT NULL,
  revoked_at           timestamptz,
  revoked_reason       text,
  -- Whether the edges have been told, so that access tokens end with the session.
  revocation_published boolean NOT NULL DEFAULT false,
  CONSTRAINT revoked_has_reason CHECK ((revoked_at IS NULL) = (revoked_reason IS NULL)),
  CONSTRAINT reason_known CHECK (revoked_reason IN ('logout', 'token_reused'))
);

CREATE INDEX user_session_user ON user_session (user_id);
CREATE INDEX user_session_unpublished ON user_session (revoked_at)
  WHERE revoked_at IS NOT NULL AND NOT revocation_published;

CREATE TABLE refresh_token (
  -- SHA-256 of the token; the token itself is nowhere.
  hash       bytea PRIMARY KEY,
  session_id uuid NOT NULL REFERENCES user_session (id),
  -- The token that this one replaced.
  parent     bytea,
  issued_at  timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  used_at    timestamptz,
  CONSTRAINT hash_is_sha256 CHECK (octet_length(hash) = 32)
);

CREATE INDEX refresh_token_session ON refresh_token (session_id);
CREATE INDEX refresh_token_expiry ON refresh_token (expires_at);
