#!/usr/bin/env python3
"""`make bench-codec`: our codec beside swift-protobuf, guard scan included.

    codec.py [--rounds N] [--milliseconds N] [--build] [--json PATH]

Both programs run in turn on one core, the same messages in both; a ratio is taken in each round and
the median counts. Microseconds belong to this machine, ratios are what the goal (G9) is about.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile

from goals import judged, print_goals

ROOT = pathlib.Path(__file__).resolve().parents[1]
PEER = ROOT / "Benchmarks/SwiftProtobufCodec"
RELEASE = ROOT / "deploy/scripts/swift_release.sh"
OPERATIONS = ("decode", "encode", "encode into buffer", "bytes to JSON", "JSON to bytes")
# The message of the goal, and the release bar and the aim of each operation: costs as a share of the peer's, then allocations.
SUBJECT = "Job"
COSTS = {"decode": (0.45, 0.40), "encode": (0.85, 0.55), "encode into buffer": (0.85, 0.55)}
ALLOCATIONS = {"decode": (5, 5), "encode into buffer": (0, 0)}


def run(*command, **options) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout


def build() -> tuple[pathlib.Path, pathlib.Path]:
    ours = (RELEASE, "--package-path", ROOT)
    run(*ours, "--product", "codec-bench")
    peer = (RELEASE, "--package-path", PEER)
    generated = PEER / "Sources/swift-protobuf-codec/Generated"
    source = ROOT / "proto/oneshot/sample/v1/bench.proto"
    target = generated / "oneshot/sample/v1/bench.pb.swift"
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        run(*peer, "--product", "protoc-gen-swift")
        plugin = pathlib.Path(run(*peer, "--show-bin-path").strip()) / "protoc-gen-swift"
        generated.mkdir(parents=True, exist_ok=True)
        run("protoc", "-I", ROOT / "proto", f"--plugin={plugin}", f"--swift_out={generated}", source)
    run(*peer, "--product", "swift-protobuf-codec")
    return (pathlib.Path(run(*ours, "--show-bin-path").strip()) / "codec-bench",
            pathlib.Path(run(*peer, "--show-bin-path").strip()) / "swift-protobuf-codec")


def measured(program: pathlib.Path, counter: pathlib.Path, milliseconds: int) -> dict:
    """(message, operation) -> (ns, allocations); the operation "size" has bytes of both forms."""
    text = run("taskset", "-c", "1", program, milliseconds, env={**os.environ, "LD_PRELOAD": str(counter)})
    rows = (line.split("\t") for line in text.splitlines())
    return {(name, operation): (float(first), float(second)) for name, operation, first, second in rows}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--milliseconds", type=int, default=100, help="of each operation in each round")
    arguments.add_argument("--build", action="store_true", help="only build")
    arguments.add_argument("--json", type=pathlib.Path, default=ROOT / "out/bench-codec.json")
    options = arguments.parse_args()
    ours, peer = build()
    if options.build:
        return
    with tempfile.TemporaryDirectory() as folder:
        counter = pathlib.Path(folder) / "allocations.so"
        run("cc", "-O2", "-shared", "-fPIC", "-o", counter, ROOT / "Benchmarks/Allocations/allocations.c")
        rounds = [(measured(ours, counter, options.milliseconds), measured(peer, counter, options.milliseconds))
                  for _ in range(options.rounds)]
    report(rounds, options.json)


def report(rounds: list, target: pathlib.Path) -> None:
    rows = []
    print(f"{'message':12} {'operation':20}{'ours ns':>9}{'peer ns':>9}{'ratio':>7}{'allocations':>13}{'peer':>6}")
    names = list(dict.fromkeys(name for name, _ in rounds[0][0]))
    for name in names:
        print(f"{name:12} {int(rounds[0][0][name, 'size'][0])} bytes, {int(rounds[0][0][name, 'size'][1])} of JSON")
        for operation in OPERATIONS:
            theirs = operation if (name, operation) in rounds[0][1] else "encode"
            pairs = [(own[name, operation], peer[name, theirs]) for own, peer in rounds]
            row = {
                "message": name, "operation": operation,
                "ours_ns": statistics.median(own[0] for own, _ in pairs),
                "peer_ns": statistics.median(peer[0] for _, peer in pairs),
                "ratio": statistics.median(own[0] / peer[0] for own, peer in pairs),
                "ours_allocations": pairs[0][0][1], "peer_allocations": pairs[0][1][1],
            }
            rows.append(row)
            print(f"{'':12} {operation:20}{row['ours_ns']:9.0f}{row['peer_ns']:9.0f}{row['ratio']:7.2f}"
                  f"{row['ours_allocations']:13.0f}{row['peer_allocations']:6.0f}")
    verdicts = goals({row["operation"]: row for row in rows if row["message"] == SUBJECT})
    print_goals(verdicts)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps({"rows": rows, "goals": verdicts}, indent=1) + "\n")
    print(f"{len(rounds)} rounds, medians; written to {target}")


def goals(rows: dict) -> list[dict]:
    costs = [judged("G9", f"{SUBJECT}, {operation}, CPU / swift-protobuf's", rows[operation]["ratio"], *bars)
             for operation, bars in COSTS.items()]
    return costs + [judged("G9", f"{SUBJECT}, {operation}, allocations", rows[operation]["ours_allocations"], *bars)
                    for operation, bars in ALLOCATIONS.items()]


if __name__ == "__main__":
    main()
