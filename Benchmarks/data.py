#!/usr/bin/env python3
"""`make bench-data`: PostgreSQL and Redis from async handlers, beside a C thread on libpq and hiredis.

    data.py [--rounds N] [--calls N] [--json PATH]

Servers on one core, client on the other; a primary-key read of six columns, and a token bucket as a
Lua script; one call at a time, and 8 and 64 in flight on one connection (pipelined, one sync for each
read). Client CPU is what G10 judges, the rate what G11 judges, each as a ratio in one round.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import urllib.parse

from goals import judged, print_goals

ROOT = pathlib.Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "deploy/scripts"
SCRIPT = ROOT / "Benchmarks/CData/bucket.lua"
ENVIRONMENT = {**os.environ, "ONESHOT_INSTANCE": "bench"}
SERVER_CORE, CLIENT_CORE = "0", "1"
TABLE = """
DROP TABLE IF EXISTS bench_row;
CREATE TABLE bench_row (id int PRIMARY KEY, name text NOT NULL, state text NOT NULL, progress int NOT NULL,
  cost bigint NOT NULL, created_at timestamptz NOT NULL);
INSERT INTO bench_row SELECT n, 'job number ' || n, 'running', n % 100, n * 12, now() FROM generate_series(1, 1000) n;
ANALYZE bench_row;
"""


def run(*command, **options) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False,
                          env=ENVIRONMENT, **options)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout.strip()


def pin(name: str) -> None:
    """Puts the servers, and what they fork later, on their core."""
    for pid in run("pgrep", "-f", name).split():
        subprocess.run(["taskset", "-acp", SERVER_CORE, pid], capture_output=True, check=False)


def measured(program: pathlib.Path, *arguments) -> tuple[float, float]:
    """Calls a second, and CPU microseconds of a call."""
    calls, seconds, cpu = run("taskset", "-c", CLIENT_CORE, program, *arguments).split()
    return int(calls) / float(seconds), float(cpu)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--calls", type=int, default=20000)
    arguments.add_argument("--json", type=pathlib.Path, default=ROOT / "out/bench-data.json")
    options = arguments.parse_args()
    release = (SCRIPTS / "swift_release.sh", "--package-path", ROOT)
    run(*release, "--product", "data-bench")
    ours = pathlib.Path(run(*release, "--show-bin-path")) / "data-bench"
    with tempfile.TemporaryDirectory() as folder:
        floor = pathlib.Path(folder) / "cdata"
        include = run("pg_config", "--includedir")
        run("cc", "-O2", "-Wall", "-Wextra", "-Werror", f"-I{include}", "-o", floor,
            ROOT / "Benchmarks/CData/cdata.c", "-lpq", "-lhiredis")
        try:
            compare(ours, floor, options)
        finally:
            run(SCRIPTS / "stack.sh", "down")


def compare(ours: pathlib.Path, floor: pathlib.Path, options) -> None:
    run(SCRIPTS / "postgres.sh", "start")
    run(SCRIPTS / "redis.sh", "start")
    database = run(SCRIPTS / "postgres.sh", "test-url").splitlines()[-1]
    redis = run(SCRIPTS / "redis.sh", "url").splitlines()[-1]
    address = urllib.parse.urlsplit(redis)
    run("psql", "-X", "-q", database, input=TABLE)
    pin("/bench/pg/data")
    pin(f"redis-server .*:{address.port}")
    rows = []
    print(f"{'operation':16}{'in flight':>10}{'ours us':>9}{'C us':>8}{'CPU ratio':>10}{'ours/s':>9}{'C/s':>9}{'rate ratio':>11}")
    targets = (("pg", database, database), ("redis", redis, f"{address.port}:{address.password}"))
    for kind, target, floor_target in targets:
        for in_flight in (1, 8, 64):
            calls = options.calls * (1 if in_flight == 1 else 3)
            tail = (in_flight, calls, SCRIPT)
            rounds = [(measured(ours, kind, target, *tail), measured(floor, kind, floor_target, *tail))
                      for _ in range(options.rounds)]
            rows.append(row(kind, in_flight, rounds))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    verdicts = goals(rows)
    print_goals(verdicts)
    options.json.write_text(json.dumps({"rows": rows, "goals": verdicts}, indent=1) + "\n")
    print(f"{options.rounds} rounds, medians; written to {options.json}")


def row(kind: str, in_flight: int, rounds: list) -> dict:
    median = statistics.median
    result = {
        "operation": "PostgreSQL read" if kind == "pg" else "Redis script", "in_flight": in_flight,
        "ours_cpu_us": median(own[1] for own, _ in rounds), "c_cpu_us": median(c[1] for _, c in rounds),
        "cpu_ratio": median(own[1] / c[1] for own, c in rounds),
        "ours_per_second": median(own[0] for own, _ in rounds), "c_per_second": median(c[0] for _, c in rounds),
        "rate_ratio": median(own[0] / c[0] for own, c in rounds),
    }
    print(f"{result['operation']:16}{in_flight:10}{result['ours_cpu_us']:9.1f}{result['c_cpu_us']:8.1f}"
          f"{result['cpu_ratio']:10.2f}{result['ours_per_second']:9.0f}{result['c_per_second']:9.0f}{result['rate_ratio']:11.2f}")
    return result


def goals(rows: list[dict]) -> list[dict]:
    verdicts = []
    for entry in rows:
        what = f"{entry['operation']}, {entry['in_flight']} in flight"
        verdicts.append(judged("G10", f"{what}, client CPU / C's", entry["cpu_ratio"], 1.6, 1.3))
    for entry in rows:
        if entry["in_flight"] > 1:
            what = f"{entry['operation']}, {entry['in_flight']} in flight"
            must = 0.75 if entry["operation"].startswith("Redis") else 0.6
            verdicts.append(judged("G11", f"{what}, rate / C's", entry["rate_ratio"], must, 0.8, at_least=True))
    return verdicts


if __name__ == "__main__":
    main()
