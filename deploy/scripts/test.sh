#!/usr/bin/env bash
# `make test`: unit and integration tests on a debug build, then end-to-end tests on a release
# build against a stack of its own. The last line counts passes and failures.
#   test.sh [unit | e2e] [filter]
export ONESHOT_INSTANCE=test
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

WHAT=${1:-all}
FILTER=${2:-}
PASSED=0
FAILED=0
STARTED=$SECONDS

summary() {
  local status=$?
  trap - EXIT
  "$SCRIPTS/stack.sh" down >/dev/null 2>&1 8>&- || true
  if [ "$status" -ne 0 ] && [ "$FAILED" -eq 0 ]; then FAILED=1; fi
  note "logs are in $LOGS; this took $((SECONDS - STARTED)) seconds"
  [ $((PASSED + FAILED)) -gt 0 ] || { warn "no test ran" && FAILED=1; }
  echo "$PASSED passed, $FAILED failed"
  [ "$FAILED" -eq 0 ] || exit 1
}

# Runs a step, its output shown and kept.
step_passes() {
  local name=$1
  shift
  (umask 022 && "$@") 2>&1 8>&- | tee "$LOGS/$name.log"
}

# The same, for a step without which the others make no sense.
step() { step_passes "$@" || { warn "$1 failed"; exit 1; }; }

# Adds the counts that a report prints as "passed failed".
count() {
  local passed failed
  read -r passed failed
  PASSED=$((PASSED + passed))
  FAILED=$((FAILED + failed))
}

# The committed code is what the generator writes today.
generated() {
  say "generated code"
  if step_passes generate "$ROOT/proto/generate.sh" --check; then count <<<"1 0"; else count <<<"0 1"; fi
}

PICTURES='^(Media|MediaWorker)Tests\.'
# Tests at one time. All at once would keep each other waiting, longer than a call may take.
WIDTH=8

# Runs unit tests of the debug build and adds their counts.
#   suites NAME OPTION...
suites() {
  local name=$1 status=0
  shift
  rm -f "$LOGS/$name"*.xml
  (umask 022 && cd "$ROOT" && swift test --skip-build --xunit-output "$LOGS/$name.xml" \
    --experimental-maximum-parallelization-width "$WIDTH" "$@") \
    2>&1 8>&- | tee "$LOGS/$name.log" || status=$?
  count < <(python3 "$SCRIPTS/count_tests.py" "$status" "$LOGS/$name-swift-testing.xml")
}

unit() {
  say "PostgreSQL and Redis of the tests"
  "$SCRIPTS/postgres.sh" start
  "$SCRIPTS/redis.sh" start
  ONESHOT_TEST_DATABASE_URL=$("$SCRIPTS/postgres.sh" test-url)
  ONESHOT_TEST_REDIS_URL=$("$SCRIPTS/redis.sh" url)
  export ONESHOT_TEST_DATABASE_URL ONESHOT_TEST_REDIS_URL ONESHOT_TEST_CERTS_DIR=$CERTS
  step build-debug "$SCRIPTS/build.sh" tests
  say "unit and integration tests"
  if [ -n "$FILTER" ]; then
    suites unit --filter "$FILTER"
  else
    # What computes pictures holds every thread: the others run without it, for their own time's sake.
    suites unit --skip "$PICTURES"
    suites unit-pictures --filter "$PICTURES"
  fi
  "$SCRIPTS/stack.sh" down
}

# Our codec against the official Python package on random messages.
codec() {
  say "codec against the Python protobuf package"
  if step_passes codec "$1/bin/python" "$ROOT/Tests/Codec/compare.py" --messages 2000; then
    count <<<"1 0"
  else
    count <<<"0 1"
  fi
}

e2e() {
  local venv
  step build-release "$SCRIPTS/build.sh" release
  venv=$("$SCRIPTS/venv.sh")
  [ -n "$FILTER" ] || codec "$venv"
  # A lost worker is noticed within seconds instead of half a minute.
  export ONESHOT_JOBS_LEASE_SECONDS=4 ONESHOT_JOBS_RETRY_DELAYS=1,2
  step stack "$SCRIPTS/stack.sh" up
  say "end-to-end tests"
  rm -f "$LOGS/end-to-end.counts"
  "$venv/bin/python" "$ROOT/Tests/EndToEnd/run.py" --counts "$LOGS/end-to-end.counts" \
    ${FILTER:+-k "$FILTER"} 2>&1 8>&- | tee "$LOGS/end-to-end.log" || true
  if [ -s "$LOGS/end-to-end.counts" ]; then count <"$LOGS/end-to-end.counts"; else count <<<"0 1"; fi
}

make_state
exec 8>"$STATE_ROOT/test-run.lock"
flock -n 8 || die "another test run of this checkout is under way"
trap summary EXIT
"$SCRIPTS/deps.sh"
"$SCRIPTS/stack.sh" down 8>&-
make_state
"$SCRIPTS/certs.sh"
[ "$WHAT" != all ] || generated
[ "$WHAT" = e2e ] || unit
[ "$WHAT" = unit ] || e2e
