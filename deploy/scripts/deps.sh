#!/usr/bin/env bash
# Installs the Debian packages that are missing, and checks for Swift. Costs one query when
# nothing is missing.
#   deps.sh [package…]   further packages, for those who need them
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

packages=(
  # C and C++ libraries that the services are built on
  libnghttp2-dev libprotobuf-c-dev libssl-dev libpq-dev libhiredis-dev libuv1-dev zlib1g-dev
  libcurl4-openssl-dev node-llhttp libsimdjson-dev libvips-dev libcrypt-dev libstdc++-12-dev
  libopencv-core-dev libopencv-imgproc-dev libopencv-imgcodecs-dev libopencv-objdetect-dev
  libopencv-photo-dev opencv-data
  # tools of the build, the stack and the tests
  git pkg-config protobuf-compiler protobuf-c-compiler libprotobuf-dev openssl
  postgresql redis-server python3-venv python3-swift nghttp2-client jq curl systemd
  # load generator and C compiler of the benchmarks
  wrk gcc
  "$@"
)

installed=$(dpkg-query -W -f='${db:Status-Abbrev}${Package}\n' "${packages[@]}" 2>/dev/null || true)
missing=()
for package in "${packages[@]}"; do
  [[ $'\n'$installed$'\n' == *$'\nii '$package$'\n'* ]] || missing+=("$package")
done

if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get >/dev/null ||
    die "these packages are missing and there is no apt-get (Debian 12 is what OneShot runs on):" "${missing[*]}"
  elevate=()
  if [ "$EUID" -ne 0 ]; then
    command -v sudo >/dev/null ||
      die "missing packages, and neither root nor sudo; ask an administrator for" "apt-get install ${missing[*]}"
    [ -t 0 ] || sudo -n true 2>/dev/null ||
      die "missing packages, and sudo asks for a password without a terminal; install first" "${missing[*]}"
    elevate=(sudo)
  fi
  apt() {
    "${elevate[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -q "$@"
  }
  say "installing ${#missing[@]} Debian packages: ${missing[*]}"
  for attempt in 1 2 3; do
    apt update && break
    [ "$attempt" -lt 3 ] || die "apt-get update failed three times; is the network up?"
    warn "apt-get update failed; once more in 5 seconds"
    sleep 5
  done
  apt install -y --no-install-recommends "${missing[@]}" || die "apt-get could not install: ${missing[*]}"
fi

SWIFT_WANTED=6.3
how="install it as https://www.swift.org/install/linux/ says"
command -v swift >/dev/null || die "Swift $SWIFT_WANTED is not on the PATH" "$how"
version=$(swift --version 2>/dev/null) || die "swift --version fails: the toolchain is not complete" "$how"
[[ $version =~ Swift\ version\ ([0-9]+\.[0-9]+) ]] || die "swift --version names no version: ${version%%$'\n'*}" "$how"
if [ "$(printf '%s\n' "$SWIFT_WANTED" "${BASH_REMATCH[1]}" | sort -V | head -n 1)" != "$SWIFT_WANTED" ]; then
  die "Swift ${BASH_REMATCH[1]} is too old: OneShot needs $SWIFT_WANTED or newer ($(command -v swift))" "$how"
fi
