#!/usr/bin/env bash
# `make demo`: a face job, end to end, as a phone sees it. Builds and starts what is needed and
# leaves the stack as it found it. PHOTO and FACE name pictures of the user's own.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
load_ports

photos=$ROOT/Tests/Fixtures/photos
photo=${PHOTO:-$photos/astronaut.png}
face=${FACE:-$photos/grace_hopper.jpg}
# Without a picture of the user's, the one to restore is a worn copy: ours are too good.
worn=${PHOTO:-$photos/astronaut_worn.jpg}
for file in "$photo" "$face" "$worn"; do [ -r "$file" ] || die "no such picture: $file"; done

# Stops what this script started; after a failure the data stays, for a look at it.
finish() {
  trap - EXIT
  if [ "$1" -eq 0 ]; then "$SCRIPTS/stack.sh" down; else "$SCRIPTS/stack.sh" down --keep; fi
  exit "$1"
}

"$SCRIPTS/deps.sh"
if ! "$SCRIPTS/stack.sh" running; then
  "$SCRIPTS/build.sh" release
  trap 'finish $?' EXIT
  "$SCRIPTS/stack.sh" up
else
  say "using the stack that is up"
fi

# The pictures are for everybody to look at.
umask 022
python3=/usr/bin/python3
[ -x "$python3" ] || python3=python3
"$python3" "$ROOT/clients/demo/demo.py" --url "http://127.0.0.1:${PORTS[EDGE]}" \
  --photo "$photo" --face "$face" --worn "$worn" --out "$ROOT/out"
