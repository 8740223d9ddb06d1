#!/usr/bin/env python3
"""Attacks the stack that is up, with the limits of production, and prints what it withstood.

flood.py [--json FILE] [--only NAME]: exits with 1 when a bar is missed.
"""

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from support import siege  # noqa: E402
from support.attacks import Times  # noqa: E402

COLUMNS = "{:<20} {:<37} {:<41} {:<43} {:>6} {:>9} {:>8}  {}"


def show(row: siege.Row) -> None:
    if row.worst > siege.LATENCY_BAR:
        row.problems.append(f"another client waited {row.worst:.0f} ms")
    print(
        COLUMNS.format(
            row.victim,
            row.attack.title,
            row.attack.limit,
            row.outcome.seen,
            row.outcome.frames,
            f"{row.growth / (1 << 20):.1f} MiB",
            f"{row.worst:.0f} ms",
            "missed: " + "; ".join(row.problems) if row.problems else "holds",
        ),
        flush=True,
    )


def by_process(servers: list[siege.Server]) -> list[list[siege.Server]]:
    """Ports of one process are attacked one after the other: they share log and counters."""
    groups: dict[int, list[siege.Server]] = {}
    for server in servers:
        groups.setdefault(server.pid, []).append(server)
    return list(groups.values())


def outwait(servers: list[siege.Server]) -> list[siege.Row]:
    return [row for server in servers for row in siege.outwait(server, show)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="file for the table as data")
    parser.add_argument("--only", help="only servers whose name contains this")
    options = parser.parse_args()
    times = Times()
    echoes = [siege.EchoServer(times), siege.EchoServer(times, secure=True)]
    servers = [echo.server for echo in echoes]
    servers += [siege.rpc_victim(times), siege.edge_victim(times), siege.edge_victim(times, secure=True)]
    servers.append(siege.edge_http1_victim(times))
    print(COLUMNS.format("server", "attack", "limit = default", "what the peer saw", "sent", "memory", "other", ""))
    rows: list[siege.Row] = []
    try:
        servers = [server for server in servers if (options.only or "") in server.victim.name]
        for server in servers:
            rows += siege.strike(server, show)
        with ThreadPoolExecutor() as pool:
            for waited in pool.map(outwait, by_process(servers)):
                rows += waited
    finally:
        for echo in echoes:
            echo.close()
    missed = sum(bool(row.problems) for row in rows)
    print(
        f"{len(rows)} attacks, {len(rows) - missed} bars held, {missed} missed; memory at most "
        f"{max(row.growth for row in rows) / (1 << 20):.1f} MiB, another client's worst answer "
        f"{max(row.worst for row in rows):.0f} ms (timers wait beside each other and share both figures)"
    )
    if options.json:
        table = [
            {
                "server": row.victim,
                "attack": row.attack.title,
                "limit": row.attack.limit,
                "seen": row.outcome.seen,
                "sent": row.outcome.frames,
                "memory_bytes": row.growth,
                "worst_ms": row.worst,
                "problems": row.problems,
            }
            for row in rows
        ]
        options.json.write_text(json.dumps(table, indent=1))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
