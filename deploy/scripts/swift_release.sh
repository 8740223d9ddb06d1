#!/usr/bin/env bash
# swift_release.sh [arguments of swift build]: the one way to a release build. Swift's libraries are linked in
# (docs/decisions/2026-11-21-static-swift.md): mixed with a build that has them beside it, everything would be linked twice.
set -euo pipefail
umask 022
exec swift build -c release --static-swift-stdlib "$@"
