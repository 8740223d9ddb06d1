#!/usr/bin/env bash
# `make flood`: attacks a stack of its own with hostile HTTP/2 peers, at the limits of production,
# and prints what each of them saw and cost. Fails when a bar of docs/rpc.md is missed.
export ONESHOT_INSTANCE=flood
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

trap '"$SCRIPTS/stack.sh" down >/dev/null 2>&1 || true' EXIT
"$SCRIPTS/stack.sh" down
venv=$("$SCRIPTS/venv.sh")
"$SCRIPTS/stack.sh" up
"$venv/bin/python" "$ROOT/Tests/EndToEnd/flood.py" "$@"
