#!/usr/bin/env bash
# build.sh debug | release | tests
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case ${1:-} in
  debug) build=(swift build) ;;
  release) build=("$SCRIPTS/swift_release.sh") ;;
  tests) build=(swift build --build-tests) ;;
  *) die "usage: build.sh debug | release | tests" ;;
esac
started=$SECONDS
[ -d "$ROOT/.build/checkouts" ] || note "the first build fetches and compiles its packages: some minutes"
say "building ($1)"
cd "$ROOT"
umask 022
"${build[@]}"
say "built ($1) in $((SECONDS - started)) seconds"
