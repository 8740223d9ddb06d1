-- What must hold at every moment between transactions. A healthy ledger has no rows here.

CREATE VIEW ledger_violations AS
SELECT 'transaction_unbalanced' AS invariant, t.id::text AS subject,
       format('%s over %s entries', coalesce(sum(e.amount), 0), count(e.account_id)) AS detail
FROM ledger_transaction t LEFT JOIN ledger_entry e ON e.transaction_id = t.id
GROUP BY t.id HAVING coalesce(sum(e.amount), 0) <> 0 OR count(e.account_id) < 2

UNION ALL
SELECT 'ledger_sum_not_zero', 'all', sum(amount)::text FROM ledger_entry HAVING sum(amount) <> 0

UNION ALL
SELECT 'balance_differs_from_entries', a.id::text,
       format('balance %s, entries %s', a.balance, coalesce(sum(e.amount), 0))
FROM ledger_account a LEFT JOIN ledger_entry e ON e.account_id = a.id
WHERE a.balance IS NOT NULL
GROUP BY a.id, a.balance HAVING a.balance <> coalesce(sum(e.amount), 0)

UNION ALL
SELECT 'balance_negative', a.id::text, a.balance::text FROM ledger_account a WHERE a.balance < 0

UNION ALL
SELECT 'account_missing', owner_id::text, string_agg(kind, ', ') FROM ledger_account
WHERE owner_id IS NOT NULL GROUP BY owner_id HAVING count(*) <> 2

UNION ALL
SELECT 'held_differs_from_holds', a.owner_id::text,
       format('held %s, holds %s', a.balance, coalesce(sum(h.amount), 0))
FROM ledger_account a LEFT JOIN credit_hold h ON h.user_id = a.owner_id AND h.state = 'held'
WHERE a.kind = 'held'
GROUP BY a.owner_id, a.balance HAVING a.balance <> coalesce(sum(h.amount), 0)

UNION ALL
SELECT 'hold_without_entry', h.job_id::text, h.state FROM credit_hold h
WHERE NOT h.is_tombstone AND NOT EXISTS (
  SELECT FROM ledger_transaction t
  JOIN ledger_entry e ON e.transaction_id = t.id AND e.amount = h.amount
  JOIN ledger_account a ON a.id = e.account_id AND a.kind = 'held' AND a.owner_id = h.user_id
  WHERE t.job_id = h.job_id AND t.kind = 'hold')

UNION ALL
SELECT 'entry_without_hold', t.job_id::text, t.kind FROM ledger_transaction t
WHERE t.job_id IS NOT NULL AND NOT EXISTS (
  SELECT FROM credit_hold h WHERE h.job_id = t.job_id AND h.user_id = t.owner_id
                              AND NOT h.is_tombstone)

UNION ALL
SELECT 'settlement_differs_from_hold', h.job_id::text,
       format('hold is %s, ledger says %s', h.state, coalesce(t.kind, 'nothing'))
FROM credit_hold h
LEFT JOIN ledger_transaction t ON t.job_id = h.job_id AND t.kind IN ('capture', 'release', 'expiry')
WHERE NOT h.is_tombstone
  AND t.kind IS DISTINCT FROM CASE h.state WHEN 'captured' THEN 'capture'
                                           WHEN 'released' THEN 'release'
                                           WHEN 'expired' THEN 'expiry' END

UNION ALL
SELECT 'settlement_amount_differs', h.job_id::text, format('held %s, settled %s', h.amount, -e.amount)
FROM credit_hold h
JOIN ledger_transaction t ON t.job_id = h.job_id AND t.kind IN ('capture', 'release', 'expiry')
JOIN ledger_entry e ON e.transaction_id = t.id
JOIN ledger_account a ON a.id = e.account_id AND a.kind = 'held'
WHERE e.amount <> -h.amount

UNION ALL
SELECT 'settled_twice', job_id::text, count(*)::text FROM ledger_transaction
WHERE kind IN ('capture', 'release', 'expiry') GROUP BY job_id HAVING count(*) > 1

UNION ALL
SELECT 'starting_credits_twice', owner_id::text, count(*)::text FROM ledger_transaction
WHERE kind = 'starting' GROUP BY owner_id HAVING count(*) > 1

UNION ALL
SELECT 'usage_differs_from_holds', u.user_id::text,
       format('%s: counted %s, holds %s', u.day, u.jobs_created, count(h.job_id))
FROM usage_aggregate u
LEFT JOIN credit_hold h ON h.user_id = u.user_id AND h.counted_on = u.day
GROUP BY u.user_id, u.day, u.jobs_created HAVING u.jobs_created <> count(h.job_id)

UNION ALL
SELECT 'entitlements_overlap', a.user_id::text, format('%s and %s', a.id, b.id)
FROM user_entitlement a JOIN user_entitlement b ON b.user_id = a.user_id AND b.id > a.id
WHERE tstzrange(a.effective_from, a.effective_to) && tstzrange(b.effective_from, b.effective_to);
