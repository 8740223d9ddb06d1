#!/usr/bin/env bash
# `make bench-steps`: what one call makes a server execute, counted instruction by instruction: steps.py.
# Installs and builds what is missing; the figures do not depend on what else the machine does.
#   steps.sh [--peers c,ours,base] [--rows one,stream] [--security plain,tls] [--calls N]
#            [--top N] [--callers swift_retain,malloc]      base is the EchoServer that BASELINE names
set -euo pipefail
export LC_ALL=C.UTF-8

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
HERE=$ROOT/Benchmarks
BUILD=$HERE/.build
source "$HERE/build.sh"

peers=c,ours
arguments=("$@")
while [ $# -gt 0 ]; do
  case $1 in
    --peers=*) peers=${1#*=} ;;
    --peers) peers=${2:?--peers needs a list} && shift ;;
  esac
  shift
done

build_load
build_step
for peer in ${peers//,/ }; do
  case $peer in c | ours | base) "build_$peer" ;; esac
done

export ONESHOT_INSTANCE=bench
"$ROOT/deploy/scripts/certs.sh" >/dev/null
venv=$("$ROOT/deploy/scripts/venv.sh")
certificates=$(source "$ROOT/deploy/scripts/lib.sh" && echo "$CERTS")
PYTHONPATH=$BUILD/proto:$HERE PYTHONDONTWRITEBYTECODE=1 exec "$venv/bin/python3" "$HERE/steps.py" \
  --build "$BUILD" --certificates "$certificates" --binaries "$ROOT/.build/release" \
  --report "$ROOT/out/bench-steps.json" "${arguments[@]}"
