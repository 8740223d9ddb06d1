#!/usr/bin/env bash
# `make bench-smoke`: requests/s, p99 and CPU per request of three calls through the whole stack:
# GET /api/v1/auth/me, GET /api/v1/jobs/{id}, POST /api/v1/jobs. Release build, users with tokens of
# their own, simulator without delay, limiter and ledger in the path; every counted reply is 2xx.
#   USERS=1000 SECONDS_PER_CALL=10 CONNECTIONS=32 smoke.sh
set -euo pipefail
export LC_ALL=C.UTF-8

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
export ONESHOT_INSTANCE=bench
USERS=${USERS:-1000}
SECONDS_PER_CALL=${SECONDS_PER_CALL:-10}
CONNECTIONS=${CONNECTIONS:-32}

command -v wrk >/dev/null || { echo "error: wrk is missing (Debian package wrk)" >&2; exit 1; }

# The bench configuration: only rates, plan limits and credits are raised; nothing is switched off.
rates=
for policy in ip.global user.default auth.register auth.login upload jobs.create; do
  rates+="${rates:+,}$policy=1000000/1"
done
export ONESHOT_EDGE_RATE_POLICY_OVERRIDES=$rates
export ONESHOT_BILLING_PLAN_OVERRIDES='{"free":{"daily_jobs":1000000,"concurrent_jobs":1000000}}'
export ONESHOT_BILLING_DEFAULT_CREDITS=1000000
export ONESHOT_GPU_PROVIDERS=simulator ONESHOT_GPU_SIMULATOR_LATENCY_MS=0
export ONESHOT_JOBS_WORKER_CONCURRENCY=32

cleanup() { "$ROOT/deploy/scripts/stack.sh" down >/dev/null 2>&1 || true; }
trap cleanup EXIT
"$ROOT/deploy/scripts/stack.sh" up
declare -A INFO
while IFS='=' read -r key value; do INFO[$key]=$value; done < <("$ROOT/deploy/scripts/stack.sh" info)
mkdir -p "$ROOT/out"
python3 "$ROOT/Benchmarks/smoke.py" --users "$USERS" --seconds "$SECONDS_PER_CALL" \
  --connections "$CONNECTIONS" --processes "${INFO[STATE]}/run" \
  --port "${INFO[PORT_EDGE]}" --report "$ROOT/out/bench-smoke.json"
