#!/usr/bin/env bash
# `make bench`: every benchmark in its short form, one after another. A failure does not keep the others
# from running; the last lines say which failed. Each replaces its own report in out/.
set -uo pipefail
export LC_ALL=C.UTF-8

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
failed=()

# bench <name> <command…>
bench() {
  local name=$1 started=$SECONDS
  shift
  printf '\n==> bench-%s\n' "$name"
  "$@" || failed+=("bench-$name")
  printf '    bench-%s took %d seconds\n' "$name" $((SECONDS - started))
}

bench steps "$HERE/steps.sh"
bench rpc "$HERE/rpc.sh" --quick
bench scale "$HERE/scale.sh" --rounds 1
bench codec "$HERE/codec.py" --rounds 3
bench data "$HERE/data.py" --rounds 2 --calls 10000
bench smoke env USERS=100 SECONDS_PER_CALL=3 "$HERE/smoke.sh"

printf '\n==> %d seconds; reports are in out/bench-*.json\n' "$SECONDS"
[ ${#failed[@]} -eq 0 ] || { echo "error: failed: ${failed[*]}" >&2; exit 1; }
