-- Users who were erased: whatever a run of theirs still brings is not kept.
CREATE TABLE erased_user (
  user_id   uuid PRIMARY KEY,
  erased_at timestamptz NOT NULL
);
