#!/usr/bin/env bash
# `make interop`: builds interop-server and interop-client, then runs gRPC's interop cases between them
# and the official Python library (Tests/Interop). Prints a matrix; the last line counts.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

"$SCRIPTS/certs.sh"
say "building interop-server and interop-client (release)"
(
  cd "$ROOT"
  for product in interop-server interop-client; do "$SCRIPTS/swift_release.sh" --product "$product"; done
)
venv=$("$SCRIPTS/venv.sh")
say "interop cases"
exec "$venv/bin/python" "$ROOT/Tests/Interop/python/matrix.py" --binaries "$BINARIES" \
  --certificates "$CERTS"
