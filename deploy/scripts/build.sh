#!/usr/bin/env bash
# build.sh debug | release | tests
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case ${1:-} in
  debug) options=() ;;
  release) options=(-c release) ;;
  tests) options=(--build-tests) ;;
  *) die "usage: build.sh debug | release | tests" ;;
esac
started=$SECONDS
[ -d "$ROOT/.build/checkouts" ] || note "the first build fetches and compiles its packages: some minutes"
say "building ($1)"
cd "$ROOT"
umask 022
swift build "${options[@]}"
say "built ($1) in $((SECONDS - started)) seconds"
