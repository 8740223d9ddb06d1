#!/usr/bin/env bash
# `make bench-rpc`: what a call costs a server of ours, beside other gRPC servers, in one run.
# Installs and builds what the chosen peers need (kept in .build folders), then measures: rpc.py.
#   rpc.sh [--peers c,ours,cpp,swift,swift-static,python] [--rounds N] [--rows …] [--security plain,tls] [--quick]
set -euo pipefail
export LC_ALL=C.UTF-8

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
HERE=$ROOT/Benchmarks
BUILD=$HERE/.build
ALL_PEERS=c,ours,cpp,swift,swift-static,python
source "$HERE/build.sh"

peers=$ALL_PEERS
arguments=("$@")
while [ $# -gt 0 ]; do
  case $1 in
    --peers) peers=${2:?--peers needs a list} && shift ;;
    --quick) [ "$peers" != $ALL_PEERS ] || peers=c,ours ;;
  esac
  shift
done

build_load
for peer in ${peers//,/ }; do "build_$peer"; done

export ONESHOT_INSTANCE=bench
"$ROOT/deploy/scripts/certs.sh" >/dev/null
venv=$("$ROOT/deploy/scripts/venv.sh")
certificates=$(source "$ROOT/deploy/scripts/lib.sh" && echo "$CERTS")
PYTHONPATH=$BUILD/proto exec "$venv/bin/python3" "$HERE/rpc.py" --build "$BUILD" \
  --certificates "$certificates" --binaries "$ROOT/.build/release" \
  --report "$ROOT/out/bench-rpc.json" "${arguments[@]}"
