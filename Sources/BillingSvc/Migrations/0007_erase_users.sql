-- Users can be erased: the ledger stays whole, under a pseudonym from which no way leads back.

-- Who was erased. The name alone stays, so that nothing late opens an account for it again.
CREATE TABLE erased_user (
  user_id   uuid PRIMARY KEY,
  erased_at timestamptz NOT NULL
);

-- Of a transaction nothing but the name of its owner may change, and only by an erasure. The name is
-- part of some references.
CREATE FUNCTION refuse_ledger_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM erased_user WHERE user_id = OLD.owner_id)
     AND NEW.reference = replace(OLD.reference, OLD.owner_id::text, NEW.owner_id::text)
     AND ROW(NEW.id, NEW.kind, NEW.job_id, NEW.created_at)
         IS NOT DISTINCT FROM ROW(OLD.id, OLD.kind, OLD.job_id, OLD.created_at) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'the ledger is append-only: % on % refused', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation';
END $$;

DROP TRIGGER append_only ON ledger_transaction;
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON ledger_transaction
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_ledger_change();
CREATE TRIGGER append_only_rows BEFORE UPDATE ON ledger_transaction
  FOR EACH ROW EXECUTE FUNCTION refuse_ledger_rewrite();

-- As before, and refuses to open accounts of users who were erased.
CREATE OR REPLACE FUNCTION lock_accounts(
  p_user uuid, p_starting bigint, p_now timestamptz,
  OUT available_id bigint, OUT held_id bigint, OUT available bigint
) LANGUAGE plpgsql AS $$
BEGIN
  SELECT a.id, h.id, a.balance INTO available_id, held_id, available
  FROM ledger_account a JOIN ledger_account h ON h.owner_id = a.owner_id AND h.kind = 'held'
  WHERE a.owner_id = p_user AND a.kind = 'available'
  FOR UPDATE OF a;
  IF available_id IS NOT NULL THEN
    RETURN;
  END IF;

  -- Opening an account and erasing its owner follow one another.
  PERFORM pg_advisory_xact_lock(hashtextextended('oneshot-account:' || p_user, 0));
  IF EXISTS (SELECT FROM erased_user WHERE user_id = p_user) THEN
    RAISE EXCEPTION 'the user was erased'
      USING ERRCODE = 'check_violation', CONSTRAINT = 'user_not_erased';
  END IF;
  INSERT INTO ledger_account (owner_id, kind, balance)
  VALUES (p_user, 'available', 0), (p_user, 'held', 0)
  ON CONFLICT (owner_id, kind) DO NOTHING;

  SELECT a.id, h.id, a.balance INTO available_id, held_id, available
  FROM ledger_account a JOIN ledger_account h ON h.owner_id = a.owner_id AND h.kind = 'held'
  WHERE a.owner_id = p_user AND a.kind = 'available'
  FOR UPDATE OF a;
  IF p_starting > 0 AND post_transfer('starting', 'starting:' || p_user, p_user, NULL,
                                      1, available_id, p_starting, p_now) THEN
    available := available + p_starting;
  END IF;
END $$;

-- Ends a user's subscriptions and puts a pseudonym in the user's place everywhere. Returns false, and
-- changes nothing, while a job's credits are held. A repeat changes nothing.
CREATE FUNCTION erase_user(p_user uuid, p_pseudonym uuid, p_now timestamptz) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  v_now  timestamptz := coalesce(p_now, clock_timestamp());
  v_user text := p_user::text;
  v_name text := p_pseudonym::text;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('oneshot-account:' || p_user, 0));
  PERFORM FROM ledger_account WHERE owner_id = p_user AND kind = 'available' FOR UPDATE;
  IF EXISTS (SELECT FROM credit_hold WHERE user_id = p_user AND state = 'held') THEN
    RETURN false;
  END IF;
  INSERT INTO erased_user (user_id, erased_at) VALUES (p_user, v_now)
  ON CONFLICT (user_id) DO NOTHING;

  UPDATE ledger_account SET owner_id = p_pseudonym WHERE owner_id = p_user;
  UPDATE ledger_transaction
  SET owner_id = p_pseudonym, reference = replace(reference, v_user, v_name)
  WHERE owner_id = p_user;
  UPDATE credit_hold SET user_id = p_pseudonym WHERE user_id = p_user;
  UPDATE usage_aggregate SET user_id = p_pseudonym WHERE user_id = p_user;
  UPDATE user_entitlement SET user_id = p_pseudonym WHERE user_id = p_user;
  UPDATE subscription
  SET user_id = p_pseudonym, external_id = replace(external_id, v_user, v_name), status = 'expired',
      expires_at = least(expires_at, v_now), updated_at = v_now
  WHERE user_id = p_user;
  PERFORM derive_entitlements(p_pseudonym, v_now);
  UPDATE webhook_inbox
  SET event_id = replace(event_id, v_user, v_name), payload = '{}'
  WHERE strpos(payload::text, v_user) > 0 OR strpos(event_id, v_user) > 0;
  RETURN true;
END $$;
