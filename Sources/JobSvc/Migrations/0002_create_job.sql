-- Jobs, their events, attempts and artifacts.
CREATE TABLE job (
  id               uuid PRIMARY KEY,
  user_id          uuid NOT NULL,
  job_type         text NOT NULL,
  state            text NOT NULL,
  stage            text NOT NULL,
  -- Basis points.
  progress         integer NOT NULL DEFAULT 0,
  -- oneshot.jobs.v1.JobParams as the client gave them, in canonical names.
  params           bytea NOT NULL,
  -- oneshot.gpu.v1.JobSpec and OutputPolicy; known once the job is admitted.
  spec             bytea,
  policy           bytea,
  -- Class of the plan; higher goes first.
  queue_class      integer NOT NULL DEFAULT 0,
  -- The user's own order among their waiting jobs.
  own_priority     integer NOT NULL DEFAULT 5,
  credits_cost     bigint NOT NULL DEFAULT 0,
  client_ref       text,
  -- Number of the current or last attempt.
  attempt          integer NOT NULL DEFAULT 0,
  -- The next claim goes on with the current attempt instead of starting another.
  resumes          boolean NOT NULL DEFAULT false,
  -- How often a worker vanished during the job.
  losses           integer NOT NULL DEFAULT 0,
  available_at     timestamptz,
  lease_id         uuid,
  lease_owner      uuid,
  lease_expires_at timestamptz,
  -- Number of the last event.
  last_event       bigint NOT NULL DEFAULT 0,
  error_code       text,
  error_message    text,
  created_at       timestamptz NOT NULL,
  -- Null while the job is unknown to its user.
  admitted_at      timestamptz,
  started_at       timestamptz,
  finished_at      timestamptz,
  CONSTRAINT state_known CHECK
    (state IN ('admitting', 'pending', 'running', 'succeeded', 'failed', 'cancelled')),
  CONSTRAINT progress_in_range CHECK (progress BETWEEN 0 AND 10000),
  CONSTRAINT own_priority_in_range CHECK (own_priority BETWEEN 0 AND 9),
  CONSTRAINT running_is_leased CHECK ((state = 'running') = (lease_id IS NOT NULL)),
  CONSTRAINT lease_is_complete CHECK
    ((lease_id IS NULL) = (lease_expires_at IS NULL) AND (lease_id IS NULL) = (lease_owner IS NULL)),
  CONSTRAINT final_has_time CHECK
    ((state IN ('succeeded', 'failed', 'cancelled')) = (finished_at IS NOT NULL)),
  CONSTRAINT queued_is_admitted CHECK
    (state NOT IN ('pending', 'running', 'succeeded', 'failed')
     OR (admitted_at IS NOT NULL AND spec IS NOT NULL AND policy IS NOT NULL)),
  CONSTRAINT failed_has_code CHECK (state <> 'failed' OR error_code IS NOT NULL)
);

CREATE INDEX job_queue ON job (queue_class DESC, admitted_at, id) WHERE state = 'pending';
CREATE INDEX job_lease ON job (lease_expires_at) WHERE state = 'running';
CREATE INDEX job_running_of_user ON job (user_id) WHERE state = 'running';
CREATE INDEX job_pending_age ON job (created_at) WHERE state = 'pending';
CREATE INDEX job_admitting ON job (created_at) WHERE state = 'admitting';
CREATE INDEX job_of_user ON job (user_id, id DESC) WHERE admitted_at IS NOT NULL;

-- What a watcher is told; numbers count up from 1 within the job, without gaps.
CREATE TABLE job_event (
  job_id         uuid NOT NULL REFERENCES job ON DELETE CASCADE,
  number         bigint NOT NULL,
  kind           text NOT NULL,
  state          text NOT NULL,
  stage          text NOT NULL,
  progress       integer NOT NULL,
  message        text,
  error_code     text,
  created_at     timestamptz NOT NULL,
  PRIMARY KEY (job_id, number),
  CONSTRAINT kind_known CHECK (kind IN ('queued', 'progress', 'succeeded', 'failed', 'cancelled'))
);

CREATE TABLE attempt (
  job_id     uuid NOT NULL REFERENCES job ON DELETE CASCADE,
  number     integer NOT NULL,
  state      text NOT NULL,
  provider   text,
  error_code text,
  started_at timestamptz NOT NULL,
  ended_at   timestamptz,
  PRIMARY KEY (job_id, number),
  CONSTRAINT state_known CHECK (state IN ('leased', 'running', 'done', 'failed', 'cancelled', 'lost'))
);

CREATE TABLE artifact (
  id            uuid PRIMARY KEY,
  job_id        uuid NOT NULL REFERENCES job ON DELETE CASCADE,
  position      integer NOT NULL,
  artifact_type text NOT NULL,
  object_key    text NOT NULL,
  file_size     bigint NOT NULL,
  mime_type     text NOT NULL,
  width         integer NOT NULL,
  height        integer NOT NULL,
  sha256        bytea NOT NULL,
  CONSTRAINT one_artifact_a_position UNIQUE (job_id, position)
);
