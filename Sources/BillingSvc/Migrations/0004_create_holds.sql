-- Holds: the credits of unfinished jobs, and the gates that a job passes to get one.

CREATE TABLE credit_hold (
  job_id       uuid PRIMARY KEY,
  user_id      uuid NOT NULL,
  amount       bigint NOT NULL,
  state        text NOT NULL,
  -- A release that came before its hold. It refuses the hold.
  is_tombstone boolean NOT NULL,
  job_type     text,
  plan_code    text REFERENCES plan (code),
  -- The day whose count includes the job; null when it counts for none.
  counted_on   date,
  created_at   timestamptz NOT NULL,
  expires_at   timestamptz NOT NULL,
  settled_at   timestamptz,
  CONSTRAINT amount_not_negative CHECK (amount >= 0),
  CONSTRAINT state_known CHECK (state IN ('held', 'captured', 'released', 'expired')),
  CONSTRAINT settled_has_time CHECK ((state = 'held') = (settled_at IS NULL)),
  CONSTRAINT tombstone_is_empty
    CHECK (NOT is_tombstone OR (amount = 0 AND state = 'released' AND counted_on IS NULL)),
  CONSTRAINT hold_is_complete
    CHECK (is_tombstone OR (job_type IS NOT NULL AND plan_code IS NOT NULL))
);

CREATE INDEX credit_hold_open ON credit_hold (user_id) WHERE state = 'held';
CREATE INDEX credit_hold_expiry ON credit_hold (expires_at) WHERE state = 'held';
CREATE INDEX credit_hold_counted ON credit_hold (user_id, counted_on);

CREATE TABLE usage_aggregate (
  user_id      uuid NOT NULL,
  day          date NOT NULL,
  jobs_created integer NOT NULL,
  created_at   timestamptz NOT NULL,
  updated_at   timestamptz NOT NULL,
  PRIMARY KEY (user_id, day),
  CONSTRAINT jobs_created_not_negative CHECK (jobs_created >= 0)
);

-- Admits a job: all gates and the hold in one call. The outcome is 'held', or the name of the gate
-- that refused; the numbers that its message needs come with it.
CREATE FUNCTION hold_credits(
  p_job uuid, p_user uuid, p_job_type text, p_max_side integer, p_features text[],
  p_consents text[], p_starting bigint, p_lifetime interval, p_now timestamptz,
  OUT outcome text, OUT hold_state text, OUT repeated boolean, OUT amount bigint,
  OUT balance bigint, OUT expires_at timestamptz, OUT jobs_today integer,
  OUT concurrent_now integer, OUT resets_at timestamptz, OUT decided_at timestamptz,
  OUT plan_code text, OUT daily_jobs integer,
  OUT concurrent_jobs integer, OUT max_side integer, OUT queue_class smallint, OUT watermark text,
  OUT nsfw_mode text, OUT face_swap_consents text[], OUT consumes_credits boolean,
  OUT features text[], OUT plan_expires_at timestamptz
) LANGUAGE plpgsql AS $$
DECLARE
  v_now      timestamptz := coalesce(p_now, clock_timestamp());
  v_day      date := (v_now AT TIME ZONE 'UTC')::date;
  v_accounts record;
  v_hold     credit_hold%ROWTYPE;
  v_plan     effective_plan%ROWTYPE;
  v_cost     job_cost%ROWTYPE;
BEGIN
  SELECT * INTO v_accounts FROM lock_accounts(p_user, p_starting, v_now);
  balance := v_accounts.available;
  repeated := false;
  decided_at := v_now;
  resets_at := (v_day + 1)::timestamp AT TIME ZONE 'UTC';

  SELECT e.plan_code, e.expires_at INTO plan_code, plan_expires_at FROM entitlement_at(p_user, v_now) e;
  SELECT * INTO v_hold FROM credit_hold h WHERE h.job_id = p_job;
  IF v_hold.job_id IS NOT NULL AND v_hold.plan_code IS NOT NULL THEN
    plan_code := v_hold.plan_code;
  END IF;
  SELECT * INTO v_plan FROM effective_plan p WHERE p.code = hold_credits.plan_code;
  daily_jobs := v_plan.daily_jobs;
  concurrent_jobs := v_plan.concurrent_jobs;
  max_side := v_plan.max_side;
  queue_class := v_plan.queue_class;
  watermark := v_plan.watermark;
  nsfw_mode := v_plan.nsfw_mode;
  face_swap_consents := v_plan.face_swap_consents;
  consumes_credits := v_plan.consumes_credits;
  features := v_plan.features;

  IF v_hold.job_id IS NOT NULL THEN
    repeated := true;
    hold_state := v_hold.state;
    amount := v_hold.amount;
    expires_at := v_hold.expires_at;
    outcome := CASE WHEN v_hold.user_id <> p_user THEN 'other_owner'
                    WHEN v_hold.state IN ('released', 'expired') THEN 'ended'
                    ELSE 'held' END;
    RETURN;
  END IF;

  SELECT * INTO v_cost FROM job_cost c WHERE c.job_type = p_job_type;
  amount := CASE WHEN NOT v_plan.consumes_credits AND coalesce(v_cost.covered_by_plan, false) THEN 0
                 ELSE coalesce(v_cost.credits, 1) END;
  jobs_today := coalesce((SELECT u.jobs_created FROM usage_aggregate u
                          WHERE u.user_id = p_user AND u.day = v_day), 0);
  concurrent_now := (SELECT count(*) FROM credit_hold h
                     WHERE h.user_id = p_user AND h.state = 'held' AND h.expires_at > v_now);

  IF p_job_type = 'face_swap' AND NOT v_plan.face_swap_consents <@ p_consents THEN
    outcome := 'consent';
  ELSIF NOT p_features <@ v_plan.features THEN
    outcome := 'feature';
  ELSIF p_max_side > v_plan.max_side THEN
    outcome := 'max_side';
  ELSIF jobs_today >= v_plan.daily_jobs THEN
    outcome := 'daily';
  ELSIF concurrent_now >= v_plan.concurrent_jobs THEN
    outcome := 'concurrent';
  ELSIF amount > v_accounts.available THEN
    outcome := 'credits';
  ELSE
    outcome := 'held';
    hold_state := 'held';
    balance := v_accounts.available - amount;
    expires_at := v_now + p_lifetime;
    INSERT INTO credit_hold (job_id, user_id, amount, state, is_tombstone, job_type, plan_code,
                             counted_on, created_at, expires_at)
    VALUES (p_job, p_user, amount, 'held', false, p_job_type, v_plan.code,
            v_day, v_now, v_now + p_lifetime);
    PERFORM post_transfer('hold', 'hold:' || p_job, p_user, p_job,
                          v_accounts.available_id, v_accounts.held_id, amount, v_now);
    INSERT INTO usage_aggregate AS u (user_id, day, jobs_created, created_at, updated_at)
    VALUES (p_user, v_day, 1, v_now, v_now)
    ON CONFLICT (user_id, day) DO UPDATE
      SET jobs_created = u.jobs_created + 1, updated_at = v_now;
    jobs_today := jobs_today + 1;
    concurrent_now := concurrent_now + 1;
  END IF;
END $$;

-- Ends a hold, if it is still held. p_state: captured, released or expired. p_uncount takes the job
-- out of the day's count. The caller holds the user's lock.
CREATE FUNCTION settle_hold(
  p_job uuid, p_state text, p_uncount boolean, p_accounts record, p_now timestamptz,
  OUT hold_state text, OUT amount bigint, OUT changed boolean
) LANGUAGE plpgsql AS $$
DECLARE
  v_hold credit_hold%ROWTYPE;
  v_kind text := CASE p_state WHEN 'captured' THEN 'capture' WHEN 'released' THEN 'release'
                              ELSE 'expiry' END;
BEGIN
  SELECT * INTO v_hold FROM credit_hold h WHERE h.job_id = p_job FOR UPDATE;
  hold_state := v_hold.state;
  amount := v_hold.amount;
  changed := false;
  IF v_hold.state IS DISTINCT FROM 'held' THEN
    RETURN;
  END IF;
  hold_state := p_state;
  changed := true;
  UPDATE credit_hold SET state = p_state, settled_at = p_now,
                         counted_on = CASE WHEN p_uncount THEN NULL ELSE counted_on END
  WHERE job_id = p_job AND state = 'held';
  PERFORM post_transfer(v_kind, v_kind || ':' || p_job, v_hold.user_id, p_job, p_accounts.held_id,
                        CASE p_state WHEN 'captured' THEN 3 ELSE p_accounts.available_id END,
                        v_hold.amount, p_now);
  IF p_uncount THEN
    UPDATE usage_aggregate SET jobs_created = jobs_created - 1, updated_at = p_now
    WHERE user_id = v_hold.user_id AND day = v_hold.counted_on;
  END IF;
END $$;

-- Spends a hold. hold_state is null if there is none for this user and job.
CREATE FUNCTION capture_hold(
  p_job uuid, p_user uuid, p_starting bigint, p_now timestamptz,
  OUT hold_state text, OUT amount bigint, OUT changed boolean
) LANGUAGE plpgsql AS $$
DECLARE
  v_now      timestamptz := coalesce(p_now, clock_timestamp());
  v_accounts record;
BEGIN
  SELECT * INTO v_accounts FROM lock_accounts(p_user, p_starting, v_now);
  IF EXISTS (SELECT FROM credit_hold WHERE job_id = p_job AND user_id = p_user) THEN
    SELECT s.hold_state, s.amount, s.changed INTO hold_state, amount, changed
    FROM settle_hold(p_job, 'captured', false, v_accounts, v_now) s;
  END IF;
END $$;

-- Gives a hold back. Without a hold it leaves a tombstone. hold_state is null if the job's hold
-- belongs to somebody else.
CREATE FUNCTION release_hold(
  p_job uuid, p_user uuid, p_uncount boolean, p_starting bigint, p_now timestamptz,
  OUT hold_state text, OUT amount bigint, OUT changed boolean
) LANGUAGE plpgsql AS $$
DECLARE
  v_now      timestamptz := coalesce(p_now, clock_timestamp());
  v_accounts record;
BEGIN
  SELECT * INTO v_accounts FROM lock_accounts(p_user, p_starting, v_now);
  INSERT INTO credit_hold (job_id, user_id, amount, state, is_tombstone, created_at, expires_at,
                           settled_at)
  VALUES (p_job, p_user, 0, 'released', true, v_now, v_now, v_now)
  ON CONFLICT (job_id) DO NOTHING;
  IF FOUND THEN
    hold_state := 'released';
    amount := 0;
    changed := true;
  ELSIF EXISTS (SELECT FROM credit_hold WHERE job_id = p_job AND user_id = p_user) THEN
    SELECT s.hold_state, s.amount, s.changed INTO hold_state, amount, changed
    FROM settle_hold(p_job, 'released', p_uncount, v_accounts, v_now) s;
  END IF;
END $$;

-- Gives back up to p_limit holds that nobody ended in time; returns how many. Users who are busy at
-- the moment are left for the next round.
CREATE FUNCTION expire_holds(p_limit integer, p_now timestamptz) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
  v_now      timestamptz := coalesce(p_now, clock_timestamp());
  v_due      record;
  v_accounts record;
  v_count    integer := 0;
BEGIN
  FOR v_due IN
    SELECT job_id, user_id FROM credit_hold
    WHERE state = 'held' AND expires_at <= v_now ORDER BY expires_at LIMIT p_limit
  LOOP
    SELECT a.id AS available_id, h.id AS held_id INTO v_accounts
    FROM ledger_account a JOIN ledger_account h ON h.owner_id = a.owner_id AND h.kind = 'held'
    WHERE a.owner_id = v_due.user_id AND a.kind = 'available'
    FOR UPDATE OF a SKIP LOCKED;
    IF FOUND AND (SELECT changed FROM settle_hold(v_due.job_id, 'expired', false, v_accounts, v_now))
    THEN
      v_count := v_count + 1;
    END IF;
  END LOOP;
  RETURN v_count;
END $$;
