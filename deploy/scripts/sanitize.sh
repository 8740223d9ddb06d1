#!/usr/bin/env bash
# `make sanitize`: the suites of the modules that own C memory, built from Tests/Sanitize with
# AddressSanitizer and then with ThreadSanitizer. The last line counts passes, failures and reports.
#   sanitize.sh [address | thread] [filter]
export ONESHOT_INSTANCE=sanitize
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

KINDS=(address thread)
[ -z "${1:-}" ] || KINDS=("$1")
FILTER=${2:-}
PACKAGE=$ROOT/Tests/Sanitize
FAILED=0
LINES=()

finish() {
  local status=$?
  trap - EXIT
  "$SCRIPTS/stack.sh" down >/dev/null 2>&1 || true
  note "logs are in $LOGS"
  printf '%s\n' "${LINES[@]}"
  [ "$status" -eq 0 ] && [ "$FAILED" -eq 0 ] || exit 1
}

# Runs the suites under one sanitizer.
sanitize() {
  local kind=$1 log=$LOGS/sanitize-$1.log status=0 passed failed reports options=()
  [ -z "$FILTER" ] || options=(--filter "$FILTER")
  say "building with the $kind sanitizer (some minutes the first time)"
  if ! (umask 022 && cd "$PACKAGE" &&
    swift build --build-tests --sanitize "$kind" --scratch-path "$ROOT/.build/sanitize-$kind") >"$log" 2>&1 8>&-; then
    grep -E 'error:' "$log" | head -20 || true
    LINES+=("$kind sanitizer: does not build")
    FAILED=1
    return
  fi
  say "suites under the $kind sanitizer"
  rm -f "$LOGS/sanitize-$kind"*.xml
  (
    umask 022
    cd "$PACKAGE"
    # One test at a time: under a sanitizer many at once are too slow for their own time limits.
    swift test --skip-build --no-parallel --disable-xctest --sanitize "$kind" \
      --scratch-path "$ROOT/.build/sanitize-$kind" --xunit-output "$LOGS/sanitize-$kind.xml" "${options[@]}"
  ) >"$log" 2>&1 8>&- || status=$?
  read -r passed failed < <(python3 "$SCRIPTS/count_tests.py" "$status" "$LOGS/sanitize-$kind"*.xml)
  reports=$(grep -acE '(ERROR|WARNING): (Address|Leak|Thread)Sanitizer' "$log" || true)
  grep -aE '✘|(ERROR|WARNING): (Address|Leak|Thread)Sanitizer|SUMMARY:' "$log" | head -40 || true
  LINES+=("$kind sanitizer: $passed passed, $failed failed, $reports reports")
  [ "$failed" -eq 0 ] && [ "$reports" -eq 0 ] || FAILED=1
}

make_state
exec 8>"$STATE_ROOT/sanitize-run.lock"
flock -n 8 || die "another run of the sanitizers is under way"
trap finish EXIT
"$SCRIPTS/stack.sh" down
make_state
"$SCRIPTS/certs.sh"
"$SCRIPTS/postgres.sh" start
"$SCRIPTS/redis.sh" start
ONESHOT_TEST_DATABASE_URL=$("$SCRIPTS/postgres.sh" test-url)
ONESHOT_TEST_REDIS_URL=$("$SCRIPTS/redis.sh" url)
export ONESHOT_TEST_DATABASE_URL ONESHOT_TEST_REDIS_URL ONESHOT_TEST_CERTS_DIR=$CERTS
# Reports are counted at the end, so the first one does not stop the run.
export ASAN_OPTIONS=detect_leaks=1:halt_on_error=0:suppressions=$PACKAGE/address.txt
export LSAN_OPTIONS=suppressions=$PACKAGE/leaks.txt:print_suppressions=0
export TSAN_OPTIONS=halt_on_error=0:exitcode=0:suppressions=$PACKAGE/threads.txt
for kind in "${KINDS[@]}"; do sanitize "$kind"; done
