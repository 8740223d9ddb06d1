#!/usr/bin/env bash
# Prints the folder of a Python environment that holds what the end-to-end tests and the code
# generation need (Tests/EndToEnd/requirements.txt); creates or renews it when that file changed.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

VENV=$STATE_ROOT/venv
REQUIREMENTS=$ROOT/Tests/EndToEnd/requirements.txt
# Debian's own interpreter: its venv module is the one that `make deps` installs.
PYTHON=/usr/bin/python3
[ -x "$PYTHON" ] || PYTHON=python3

make_state
wanted=$(sha256sum <"$REQUIREMENTS")
if [ "$(cat "$VENV/requirements.sha256" 2>/dev/null)" != "$wanted" ]; then
  say "creating the Python environment of the tests ($VENV)" >&2
  rm -rf "$VENV"
  "$PYTHON" -m venv "$VENV" >&2
  "$VENV/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: -r "$REQUIREMENTS" >&2 ||
    die "pip could not install the packages of the tests; is a package index reachable?"
  echo "$wanted" >"$VENV/requirements.sha256"
fi
echo "$VENV"
