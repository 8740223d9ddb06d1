-- Entitlements follow from the subscriptions that run, a period's credits come once, and names that
-- callers choose are unique for each user.

-- End of the newest period whose included credits were granted; null when none was.
ALTER TABLE subscription ADD COLUMN granted_to timestamptz;

-- Periods granted so far are known from the ledger: their end is the last part of the reference.
WITH granted AS (
  SELECT left(reference, -23) AS stem,
         max(to_timestamp(right(reference, 22), 'YYYYMMDD"T"HH24MISS.US')::timestamp
             AT TIME ZONE 'UTC') AS period_end
  FROM ledger_transaction
  WHERE kind = 'included' AND reference ~ ':\d{8}T\d{6}\.\d{6}$'
  GROUP BY 1
)
UPDATE subscription s SET granted_to = greatest(granted.period_end, s.expires_at)
FROM granted WHERE granted.stem = format('included:%s:%s', s.provider, s.external_id);

-- Ids of mock events are chosen by users, so they are kept together with the user.
UPDATE webhook_inbox SET event_id = (payload ->> 'user_id') || ':' || event_id
WHERE provider = 'mock' AND payload ? 'user_id';

-- Writes what a user is entitled to from now on: the best plan that a subscription pays for, for as
-- long as it does, then the next best one. The caller holds the user's lock.
CREATE FUNCTION derive_entitlements(p_user uuid, p_now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  v_from timestamptz := p_now;
  v_plan record;
BEGIN
  DELETE FROM user_entitlement WHERE user_id = p_user AND effective_from >= p_now;
  FOR v_plan IN
    SELECT p.code, max(s.expires_at) AS paid_to
    FROM subscription s JOIN plan p ON p.code = s.plan_code
    WHERE s.user_id = p_user AND s.expires_at > p_now
    GROUP BY p.code, p.position ORDER BY p.position DESC
  LOOP
    CONTINUE WHEN v_plan.paid_to <= v_from;
    IF v_from = p_now THEN
      -- A plan that goes on keeps its row and so the time since when it has been in force.
      UPDATE user_entitlement SET effective_to = v_plan.paid_to
      WHERE user_id = p_user AND plan_code = v_plan.code
        AND (effective_to IS NULL OR effective_to > p_now);
    END IF;
    IF v_from > p_now OR NOT FOUND THEN
      UPDATE user_entitlement SET effective_to = v_from
      WHERE user_id = p_user AND (effective_to IS NULL OR effective_to > v_from);
      INSERT INTO user_entitlement (user_id, plan_code, effective_from, effective_to, created_at)
      VALUES (p_user, v_plan.code, v_from, v_plan.paid_to, p_now);
    END IF;
    v_from := v_plan.paid_to;
  END LOOP;
  UPDATE user_entitlement SET effective_to = v_from
  WHERE user_id = p_user AND (effective_to IS NULL OR effective_to > v_from);
END $$;

DROP FUNCTION set_entitlement(uuid, text, timestamptz, timestamptz);

-- What the new rule says about those who subscribed under the old one.
SELECT derive_entitlements(user_id, clock_timestamp())
FROM (SELECT DISTINCT user_id FROM subscription) AS subscriber;

-- Takes in one event of a subscription: stores it, and applies it unless it is a repeat, about
-- somebody else's subscription, older than what is known, or of a kind without effect.
-- p_kind: started, cancelled, ended or other.
CREATE OR REPLACE FUNCTION receive_subscription_event(
  p_provider text, p_event_id text, p_event_type text, p_kind text, p_user uuid, p_product text,
  p_external_id text, p_event_time timestamptz, p_expires_at timestamptz, p_payload jsonb,
  p_starting bigint, p_now timestamptz,
  OUT processed boolean, OUT duplicate boolean, OUT outcome text
) LANGUAGE plpgsql AS $$
DECLARE
  v_now      timestamptz := coalesce(p_now, clock_timestamp());
  v_time     timestamptz := coalesce(p_event_time, v_now);
  v_product  product%ROWTYPE;
  v_accounts record;
BEGIN
  duplicate := false;
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
  ELSIF EXISTS (SELECT FROM subscription s WHERE s.provider = p_provider
                AND s.external_id = p_external_id AND s.user_id <> p_user) THEN
    outcome := 'other_owner';
  ELSE
    SELECT * INTO v_accounts FROM lock_accounts(p_user, p_starting, v_now);
    IF p_kind = 'started' THEN
      outcome := start_subscription(p_provider, p_external_id, p_user, v_product, v_time,
                                    p_expires_at, v_accounts.available_id, v_now);
    ELSE
      outcome := stop_subscription(p_provider, p_external_id, p_user, p_kind = 'ended', v_time,
                                   p_expires_at, v_now);
    END IF;
    IF outcome = 'applied' THEN
      PERFORM derive_entitlements(p_user, v_now);
    END IF;
  END IF;

  processed := outcome = 'applied';
  UPDATE webhook_inbox w SET processed = receive_subscription_event.processed,
                             outcome = receive_subscription_event.outcome
  WHERE w.provider = p_provider AND w.event_id = p_event_id;
END $$;

-- Begins or prolongs a subscription, and grants the credits of its period if they were not granted
-- yet. The caller holds the user's lock.
CREATE FUNCTION start_subscription(
  p_provider text, p_external_id text, p_user uuid, p_product product, p_time timestamptz,
  p_expires_at timestamptz, p_available_id bigint, p_now timestamptz
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_known    subscription%ROWTYPE;
  v_expires  timestamptz;
  v_granted  timestamptz;
  v_included bigint;
BEGIN
  SELECT * INTO v_known FROM subscription s
  WHERE s.provider = p_provider AND s.external_id = p_external_id FOR UPDATE;
  IF v_known.event_time > p_time THEN
    RETURN 'out_of_order';
  END IF;
  -- Without an end of its own, an event for a running period leaves that period as it is.
  v_expires := coalesce(
    p_expires_at,
    CASE WHEN v_known.status = 'active' AND v_known.expires_at > p_now
              AND v_known.product_id = p_product.id THEN v_known.expires_at END,
    p_now + make_interval(months => p_product.period_months));
  INSERT INTO subscription AS s (provider, external_id, user_id, product_id, plan_code, status,
                                 expires_at, event_time, created_at, updated_at)
  VALUES (p_provider, p_external_id, p_user, p_product.id, p_product.plan_code, 'active',
          v_expires, p_time, p_now, p_now)
  ON CONFLICT (provider, external_id) DO UPDATE
    SET product_id = excluded.product_id, plan_code = excluded.plan_code, status = 'active',
        expires_at = excluded.expires_at, event_time = excluded.event_time, updated_at = p_now
    WHERE s.user_id = p_user
  RETURNING granted_to INTO v_granted;
  IF NOT FOUND THEN
    -- Somebody else's event created it a moment ago.
    RETURN 'other_owner';
  END IF;

  -- An end that moves by some hours belongs to the same period.
  IF v_expires <= p_now OR v_expires <= v_granted + interval '1 day' THEN
    RETURN 'applied';
  END IF;
  SELECT credits_included * p_product.period_months INTO v_included
  FROM effective_plan WHERE code = p_product.plan_code;
  IF v_included > 0 THEN
    PERFORM post_transfer(
      'included',
      format('included:%s:%s:%s', p_provider, p_external_id,
             to_char(v_expires AT TIME ZONE 'UTC', 'YYYYMMDD"T"HH24MISS.US')),
      p_user, NULL, 1, p_available_id, v_included, p_now);
    UPDATE subscription SET granted_to = v_expires
    WHERE provider = p_provider AND external_id = p_external_id;
  END IF;
  RETURN 'applied';
END $$;

-- Ends a subscription now, or lets its period run out. The caller holds the user's lock.
CREATE FUNCTION stop_subscription(
  p_provider text, p_external_id text, p_user uuid, p_is_over boolean, p_time timestamptz,
  p_expires_at timestamptz, p_now timestamptz
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_known subscription%ROWTYPE;
BEGIN
  SELECT * INTO v_known FROM subscription s
  WHERE s.provider = p_provider AND s.external_id = p_external_id FOR UPDATE;
  IF v_known.id IS NULL THEN
    RETURN 'unknown_subscription';
  ELSIF v_known.user_id <> p_user THEN
    RETURN 'other_owner';
  ELSIF v_known.event_time > p_time THEN
    RETURN 'out_of_order';
  END IF;
  UPDATE subscription
  SET status = CASE WHEN p_is_over THEN 'expired' ELSE 'cancelled' END,
      expires_at = CASE WHEN p_is_over THEN p_now ELSE coalesce(p_expires_at, p_now) END,
      event_time = p_time, updated_at = p_now
  WHERE id = v_known.id;
  RETURN 'applied';
END $$;

-- Adds credits to a user's balance, once for each user, kind and reference.
CREATE OR REPLACE FUNCTION grant_credits(
  p_user uuid, p_kind text, p_reference text, p_amount bigint, p_starting bigint, p_now timestamptz,
  OUT balance bigint, OUT changed boolean
) LANGUAGE plpgsql AS $$
DECLARE
  v_accounts record;
  v_now      timestamptz := coalesce(p_now, clock_timestamp());
BEGIN
  SELECT * INTO v_accounts FROM lock_accounts(p_user, p_starting, v_now);
  -- Grants from before this migration stand under their bare reference.
  changed := NOT EXISTS (SELECT FROM ledger_transaction t WHERE t.reference = p_reference
                                                            AND t.owner_id = p_user AND t.kind = p_kind);
  IF changed THEN
    changed := post_transfer(p_kind, format('%s:%s:%s', p_kind, p_user, p_reference), p_user, NULL,
                             CASE p_kind WHEN 'purchase' THEN 2 ELSE 1 END,
                             v_accounts.available_id, p_amount, v_now);
  END IF;
  balance := v_accounts.available + CASE WHEN changed THEN p_amount ELSE 0 END;
END $$;

-- Who has another plan now than the best one that is paid for. Healthy data has no rows here.
CREATE VIEW entitlement_violations AS
SELECT 'entitlement_differs_from_subscriptions' AS invariant, u.user_id::text AS subject,
       format('has %s, pays for %s', e.plan_code, coalesce(paid.plan_code, 'free')) AS detail
FROM (SELECT user_id FROM subscription UNION SELECT user_id FROM user_entitlement) AS u
CROSS JOIN LATERAL entitlement_at(u.user_id, now()) e
LEFT JOIN LATERAL (
  SELECT s.plan_code FROM subscription s JOIN plan p ON p.code = s.plan_code
  WHERE s.user_id = u.user_id AND s.expires_at > now()
  ORDER BY p.position DESC LIMIT 1
) AS paid ON true
WHERE e.plan_code <> coalesce(paid.plan_code, 'free');
