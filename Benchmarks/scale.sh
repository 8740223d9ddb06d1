#!/usr/bin/env bash
# `make bench-scale`: what a call costs a server of ours with many connections, many idle streams, several
# loops: scale.py.
#   scale.sh [--tables connections,idle_streams,loops] [--rounds N]
set -euo pipefail
export LC_ALL=C.UTF-8

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
HERE=$ROOT/Benchmarks
BUILD=$HERE/.build
source "$HERE/build.sh"

build_load
build_c
build_ours

# A thousand connections of each of two processes.
ulimit -n "$(ulimit -Hn)"
venv=$("$ROOT/deploy/scripts/venv.sh")
PYTHONPATH=$BUILD/proto:$HERE PYTHONDONTWRITEBYTECODE=1 exec "$venv/bin/python3" "$HERE/scale.py" \
  --build "$BUILD" --binaries "$ROOT/.build/release" --report "$ROOT/out/bench-scale.json" "$@"
