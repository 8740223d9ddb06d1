#!/usr/bin/env bash
# `make clean`: stops every stack of this checkout and deletes what commands have made.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

if [ -d "$STATE_ROOT" ]; then
  for folder in "$STATE_ROOT"/*/run; do
    [ -d "$folder" ] || continue
    instance=$(basename "$(dirname "$folder")")
    ONESHOT_INSTANCE=$instance "$SCRIPTS/stack.sh" down
  done
  rm -rf "${STATE_ROOT:?}"
fi
cd "$ROOT"
rm -rf .build .tools out proto/generator/.build Benchmarks/.build Benchmarks/GRPCSwift/.build
