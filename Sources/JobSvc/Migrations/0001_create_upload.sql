-- A place in the object store that was promised to a user. The bytes themselves are judged when a
-- job reads them.
CREATE TABLE upload (
  id            uuid PRIMARY KEY,
  user_id       uuid NOT NULL,
  object_key    text NOT NULL,
  filename      text NOT NULL,
  content_type  text NOT NULL,
  declared_size bigint,
  created_at    timestamptz NOT NULL,
  expires_at    timestamptz NOT NULL,
  CONSTRAINT object_key_unique UNIQUE (object_key),
  CONSTRAINT declared_size_positive CHECK (declared_size > 0)
);

CREATE INDEX upload_by_user ON upload (user_id, id DESC);
