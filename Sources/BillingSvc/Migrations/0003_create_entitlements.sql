-- Subscriptions, what they entitle to, and the inbox of payment events.

CREATE TABLE webhook_inbox (
  provider     text NOT NULL,
  event_id     text NOT NULL,
  event_type   text NOT NULL,
  payload      jsonb NOT NULL,
  received_at  timestamptz NOT NULL,
  processed    boolean NOT NULL,
  -- applied, or why the event had no effect.
  outcome      text NOT NULL,
  PRIMARY KEY (provider, event_id)
);

CREATE TABLE subscription (
  id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  provider    text NOT NULL,
  external_id text NOT NULL,
  user_id     uuid NOT NULL,
  product_id  text NOT NULL REFERENCES product (id),
  plan_code   text NOT NULL REFERENCES plan (code),
  status      text NOT NULL,
  expires_at  timestamptz NOT NULL,
  -- Time of the newest event that was applied; older ones that arrive later are not.
  event_time  timestamptz NOT NULL,
  created_at  timestamptz NOT NULL,
  updated_at  timestamptz NOT NULL,
  CONSTRAINT status_known CHECK (status IN ('active', 'cancelled', 'expired')),
  CONSTRAINT external_id_once UNIQUE (provider, external_id)
);

CREATE INDEX subscription_user ON subscription (user_id);

-- The plan of a user over time. A user without a row in force has the free plan.
CREATE TABLE user_entitlement (
  id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id        uuid NOT NULL,
  plan_code      text NOT NULL REFERENCES plan (code),
  effective_from timestamptz NOT NULL,
  effective_to   timestamptz,
  created_at     timestamptz NOT NULL,
  CONSTRAINT period_forward CHECK (effective_to >= effective_from),
  CONSTRAINT one_start UNIQUE (user_id, effective_from)
);

-- The plan in force for a user at a time.
CREATE FUNCTION entitlement_at(
  p_user uuid, p_at timestamptz, OUT plan_code text, OUT expires_at timestamptz
) LANGUAGE plpgsql STABLE AS $$
BEGIN
  SELECT e.plan_code, e.effective_to INTO plan_code, expires_at
  FROM user_entitlement e
  WHERE e.user_id = p_user AND e.effective_from <= p_at
    AND (e.effective_to IS NULL OR e.effective_to > p_at)
  ORDER BY e.effective_from DESC LIMIT 1;
  plan_code := coalesce(plan_code, 'free');
END $$;

-- Puts a plan in force from now on; ends the one before. The caller holds the user's lock.
CREATE FUNCTION set_entitlement(p_user uuid, p_plan text, p_to timestamptz, p_now timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM user_entitlement WHERE user_id = p_user AND effective_from >= p_now;
  UPDATE user_entitlement SET effective_to = p_to
  WHERE user_id = p_user AND plan_code = p_plan
    AND (effective_to IS NULL OR effective_to > p_now);
  IF FOUND THEN
    RETURN;
  END IF;
  UPDATE user_entitlement SET effective_to = p_now
  WHERE user_id = p_user AND (effective_to IS NULL OR effective_to > p_now);
  INSERT INTO user_entitlement (user_id, plan_code, effective_from, effective_to, created_at)
  VALUES (p_user, p_plan, p_now, p_to, p_now);
END $$;

-- Takes in one event of a subscription: stores it, and applies it unless it is a repeat, older
-- than what is known, or of a kind without effect. p_kind: started, cancelled, ended or other.
CREATE FUNCTION receive_subscription_event(
  p_provider text, p_event_id text, p_event_type text, p_kind text, p_user uuid, p_product text,
  p_external_id text, p_event_time timestamptz, p_expires_at timestamptz, p_payload jsonb,
  p_starting bigint, p_now timestamptz,
  OUT processed boolean, OUT duplicate boolean, OUT outcome text
) LANGUAGE plpgsql AS $$
DECLARE
  v_now      timestamptz := coalesce(p_now, clock_timestamp());
  v_time     timestamptz := coalesce(p_event_time, v_now);
  v_product  product%ROWTYPE;
  v_known    subscription%ROWTYPE;
  v_accounts record;
  v_expires  timestamptz;
  v_included bigint;
BEGIN
  duplicate := false;
  processed := false;
  outcome := 'applied';
  INSERT INTO webhook_inbox (provider, event_id, event_type, payload, received_at, processed, outcome)
  VALUES (p_provider, p_event_id, p_event_type, p_payload, v_now, false, 'received')
  ON CONFLICT (provider, event_id) DO NOTHING;
  IF NOT FOUND THEN
    duplicate := true;
    SELECT w.processed, w.outcome INTO processed, outcome FROM webhook_inbox w
    WHERE w.provider = p_provider AND w.event_id = p_event_id;
    RETURN;
  END IF;

  SELECT * INTO v_product FROM product WHERE id = p_product;
  IF p_kind = 'other' THEN
    outcome := 'ignored_type';
  ELSIF v_product.id IS NULL THEN
    outcome := 'unknown_product';
  ELSE
    SELECT * INTO v_accounts FROM lock_accounts(p_user, p_starting, v_now);
    SELECT * INTO v_known FROM subscription s
    WHERE s.provider = p_provider AND s.external_id = p_external_id FOR UPDATE;
    IF v_known.event_time > v_time THEN
      outcome := 'out_of_order';
    ELSIF p_kind <> 'started' AND v_known.id IS NULL THEN
      outcome := 'unknown_subscription';
    END IF;
  END IF;

  IF outcome = 'applied' THEN
    processed := true;
    IF p_kind = 'started' THEN
      -- Without an end of its own, an event for a running period leaves that period as it is.
      v_expires := coalesce(
        p_expires_at,
        CASE WHEN v_known.status = 'active' AND v_known.expires_at > v_now
                  AND v_known.product_id = p_product THEN v_known.expires_at END,
        v_now + make_interval(months => v_product.period_months));
      INSERT INTO subscription (provider, external_id, user_id, product_id, plan_code, status,
                                expires_at, event_time, created_at, updated_at)
      VALUES (p_provider, p_external_id, p_user, p_product, v_product.plan_code, 'active',
              v_expires, v_time, v_now, v_now)
      ON CONFLICT (provider, external_id) DO UPDATE
        SET product_id = excluded.product_id, plan_code = excluded.plan_code, status = 'active',
            expires_at = excluded.expires_at, event_time = excluded.event_time, updated_at = v_now;
      PERFORM set_entitlement(p_user, v_product.plan_code, greatest(v_expires, v_now), v_now);
      SELECT credits_included * v_product.period_months INTO v_included
      FROM effective_plan WHERE code = v_product.plan_code;
      IF v_included > 0 THEN
        PERFORM post_transfer(
          'included',
          format('included:%s:%s:%s', p_provider, p_external_id,
                 to_char(v_expires AT TIME ZONE 'UTC', 'YYYYMMDD"T"HH24MISS.US')),
          p_user, NULL, 1, v_accounts.available_id, v_included, v_now);
      END IF;
    ELSE
      v_expires := CASE WHEN p_kind = 'ended' THEN v_now ELSE coalesce(p_expires_at, v_now) END;
      UPDATE subscription
      SET status = CASE WHEN p_kind = 'ended' THEN 'expired' ELSE 'cancelled' END,
          expires_at = v_expires, event_time = v_time, updated_at = v_now
      WHERE id = v_known.id;
      UPDATE user_entitlement SET effective_to = greatest(v_expires, effective_from)
      WHERE user_id = v_known.user_id AND plan_code = v_known.plan_code
        AND (effective_to IS NULL OR effective_to > v_expires);
    END IF;
  END IF;

  UPDATE webhook_inbox w SET processed = receive_subscription_event.processed,
                             outcome = receive_subscription_event.outcome
  WHERE w.provider = p_provider AND w.event_id = p_event_id;
END $$;
