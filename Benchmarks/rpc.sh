#!/usr/bin/env bash
# `make bench-rpc`: server CPU per unary call, ours beside a minimal C server on nghttp2 (CFloor),
# same load, same run, rounds interleaved. A ratio counts; microseconds belong to this machine.
#   rpc.sh [rounds]
set -euo pipefail
export LC_ALL=C.UTF-8

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
ROUNDS=${1:-5}
CALLS=${CALLS:-200000}
WORK=$(mktemp -d)
SERVER=
cleanup() {
  [ -z "$SERVER" ] || kill "$SERVER" 2>/dev/null || true
  rm -rf "$WORK"
}
trap cleanup EXIT

for tool in gcc h2load taskset; do
  command -v $tool >/dev/null || { echo "error: $tool is missing; run make deps" >&2; exit 1; }
done

swift build --package-path "$ROOT" -c release --product EchoServer >"$WORK/build.log" 2>&1 ||
  { cat "$WORK/build.log" >&2; exit 1; }
gcc -O2 -Wall -Wextra -Werror -o "$WORK/echod" "$ROOT/Benchmarks/CFloor/echod.c" -lnghttp2

# A frame around EchoRequest{payload: N bytes}: prefix, then field 1 with its length.
request() {
  python3 -c '
import struct, sys
count = int(sys.argv[1])
length = bytes([count]) if count < 128 else bytes([count & 127 | 128, count >> 7])
message = b"\x0a" + length + bytes(count)
sys.stdout.buffer.write(b"\0" + struct.pack(">I", len(message)) + message)' "$1" >"$WORK/request-$1"
}
request 100
request 1000

start() {
  local port=$1
  shift
  taskset -c 0 "$@" >"$WORK/server.log" 2>&1 &
  SERVER=$!
  for _ in $(seq 100); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then return; fi
    sleep 0.05
  done
  cat "$WORK/server.log" >&2
  exit 1
}

stop() {
  kill "$SERVER"
  wait "$SERVER" 2>/dev/null || true
  SERVER=
}

# load <port> <payload> <clients> <streams> <calls>: prints what h2load says
load() {
  taskset -c 1 h2load -n "$5" -c "$3" -m "$4" -d "$WORK/request-$2" -H 'te: trailers' \
    -H 'content-type: application/grpc' \
    "http://127.0.0.1:$1/oneshot.echo.v1.EchoService/Echo" 2>&1
}

ticks() { awk '{ print $14 + $15 }' "/proc/$SERVER/stat"; }

# round <name> <port> <payload> <clients> <streams>: appends "name case cpu rate" to the results
round() {
  local before after output rate calls=$CALLS
  [ "$5" -gt 1 ] || calls=$((CALLS / 10))
  load "$2" "$3" "$4" "$5" $((calls / 10)) >/dev/null
  before=$(ticks)
  output=$(load "$2" "$3" "$4" "$5" "$calls")
  after=$(ticks)
  grep -q "$calls succeeded, 0 failed" <<<"$output" || { echo "$output" >&2; exit 1; }
  rate=$(sed -n 's/^finished in .*, \([0-9.]*\) req.*/\1/p' <<<"$output")
  awk -v name="$1" -v what="$3B-c$4-m$5" -v ticks=$((after - before)) -v calls="$calls" \
    -v rate="$rate" 'BEGIN { printf "%s %s %.3f %s\n", name, what, ticks * 10000 / calls, rate }' \
    >>"$WORK/results"
}

for number in $(seq "$ROUNDS"); do
  echo "round $number of $ROUNDS" >&2
  for server in floor ours; do
    port=$((17800 + RANDOM % 1000))
    if [ $server = floor ]; then
      start $port "$WORK/echod" $port
    else
      start $port "$ROOT/.build/release/EchoServer" --port $port
    fi
    round $server $port 100 8 32
    round $server $port 1000 8 32
    round $server $port 100 1 1
    stop
  done
done

mkdir -p "$ROOT/out"
python3 - "$WORK/results" "$ROOT/out/bench-rpc.json" <<'PYTHON'
import json, statistics, sys

rounds = {}
for line in open(sys.argv[1]):
    name, case, cpu, rate = line.split()
    rounds.setdefault(case, {}).setdefault(name, []).append((float(cpu), float(rate)))
report = {}
print(f"{'unary echo':<18}{'C floor us':>12}{'ours us':>10}{'ratio':>8}{'ours calls/s':>14}")
for case, sides in rounds.items():
    ratio = statistics.median(o[0] / f[0] for f, o in zip(sides["floor"], sides["ours"]))
    floor, ours = (statistics.median(x[0] for x in sides[s]) for s in ("floor", "ours"))
    rate = statistics.median(x[1] for x in sides["ours"])
    report[case] = {"floor_us": floor, "ours_us": ours, "ratio": ratio, "calls_per_second": rate}
    print(f"{case:<18}{floor:>12.2f}{ours:>10.2f}{ratio:>8.2f}{rate:>14.0f}")
json.dump(report, open(sys.argv[2], "w"), indent=2)
print("server CPU per call, server and load on one core each; ratios are medians over rounds")
PYTHON
