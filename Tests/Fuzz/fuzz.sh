#!/usr/bin/env bash
# `make fuzz`: builds the fuzz targets with coverage and the address sanitizer, and runs each.
#   fuzz.sh [target …]
# FUZZ_SECONDS  how long each target runs (20)
# What a run found stays in .build/corpus; an input that crashes lies in .build/crashes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

SECONDS_EACH=${FUZZ_SECONDS:-20}
TARGETS=("$@")
[ $# -gt 0 ] || TARGETS=(FuzzMessage FuzzJSON FuzzHTTP1 FuzzHTTP2 FuzzFraming)

swift build -c release -Xswiftc -sanitize=fuzzer,address -Xswiftc -enable-testing \
  -Xcc -fsanitize=fuzzer-no-link,address -Xswiftc -use-ld=lld 2>&1 | tail -3
programs=$(swift build -c release --show-bin-path)
# libuv, OpenSSL and the runtime keep memory until the process ends.
# Its backtraces are enough; the runtime of Swift would read memory that is poisoned for its own.
export SWIFT_BACKTRACE=enable=no
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1

failed=0
mkdir -p .build/crashes
for target in "${TARGETS[@]}"; do
  mkdir -p ".build/corpus/$target"
  log=.build/$target.log
  if "$programs/$target" -max_total_time="$SECONDS_EACH" -max_len=4096 -rss_limit_mb=2048 -timeout=10 \
    -print_final_stats=1 -artifact_prefix=".build/crashes/$target-" \
    ".build/corpus/$target" "Seeds/$target" >"$log" 2>&1; then
    awk -v target="$target" '
      /number_of_executed_units/ { runs = $2 }
      /cov:/ { for (i = 1; i < NF; i++) { if ($i == "cov:") cov = $(i + 1); if ($i == "corp:") corpus = $(i + 1) } }
      END { printf "%-12s %10d inputs, %6d edges, corpus %s, no crash\n", target, runs, cov, corpus }' "$log"
  else
    failed=1
    echo "$target: CRASH; the end of Tests/Fuzz/$log:"
    grep -vE '^#[0-9]+' "$log" | tail -40
  fi
done
exit $failed
