"""Counts what one call makes a server execute: instructions, code, kernel calls; ours beside its peers.

The thread that serves a connection is run instruction by instruction while h2load makes one call after
the other, so the figures are the same on a busy machine and in every run: they show what a change adds
to the path of a call where timing cannot. A figure is the median over the calls, which leaves out what
comes once a second; functions and callers are those of the call whose length is the median.
"""

import argparse
import array
import collections
import concurrent.futures
import contextlib
import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import rpc
from symbols import Code

# Calls before the traced connection, and traced ones that do not count: what is done once is done then.
WARM_CALLS = 2000
SKIPPED_CALLS = 20
# A single step costs some 20 us, on a virtual machine that is busy with much else ten times that.
LOAD_TIMEOUT = 300
# The traced thread has to do all work of a call, or its counts are not those of a call.
MIN_SHARE = 0.9
LINE, PAGE = 64, 4096
MAX_NAME, MAX_CALLERS = 100, 20
KERNEL_CALL, BORDER = 1 << 63, (1 << 64) - 1

ROWS = {
    "one": dataclasses.replace(rpc.ROWS["one"], is_timed=False),
    "stream": dataclasses.replace(rpc.ROWS["stream"], name="stream of 100, -c1 -m1", clients=1, streams=1),
}
PEERS = {peer: rpc.PEERS[peer] for peer in ("c", "ours", "base")}
FIGURES = {
    "instructions": "instructions",
    "lines": "64 B lines of code",
    "pages": "4 KiB pages of code",
    "kernel": "kernel calls",
    "allocations": "malloc, calloc",
    "retains": "swift_retain",
    "releases": "swift_release",
    "switches": "swift_task_switch",
}
# A figure counts how often these functions are entered.
COUNTED = {
    "allocations": ("malloc", "calloc", "aligned_alloc", "posix_memalign"),
    "retains": ("swift_retain",),
    "releases": ("swift_release",),
    "switches": ("swift_task_switch",),
}
# Those of x86-64 that a server may make in a call; others are shown by their number.
KERNEL_NAMES = {
    0: "read", 1: "write", 7: "poll", 16: "ioctl", 19: "readv", 20: "writev", 24: "sched_yield",
    44: "sendto", 45: "recvfrom", 46: "sendmsg", 47: "recvmsg", 202: "futex", 228: "clock_gettime",
    232: "epoll_wait", 233: "epoll_ctl", 281: "epoll_pwait", 318: "getrandom", 441: "epoll_pwait2",
}


class Server(rpc.Server):
    """A peer that runs as a child of `step`."""

    def __init__(
        self, step: pathlib.Path, command: list[str], log: pathlib.Path, is_secure: bool, core: int
    ) -> None:
        self.core = str(core)
        # Swift's hash tables are the same in every run, then.
        environment = {**os.environ, "SWIFT_DETERMINISTIC_HASHING": "1"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment}
        self.log = log
        super().__init__([str(step), *command], log, is_secure, **pipes)
        self.server_pid = int(self.answer())

    def answer(self) -> str:
        line = self.process.stdout.readline().strip()
        if not line:
            raise SystemExit(f"error: the server cannot be stepped\n{self.log.read_text()[-3000:]}")
        return line

    def thread_times(self) -> dict[int, int]:
        """CPU nanoseconds of each thread."""
        tasks = pathlib.Path(f"/proc/{self.server_pid}/task").iterdir()
        return {int(task.name): int((task / "schedstat").read_text().split()[0]) for task in tasks}

    @contextlib.contextmanager
    def stepping(self, thread: int, calls: int, trace: pathlib.Path):
        """Around a load under which the thread is stepped; `trace` is complete afterwards."""
        self.process.stdin.write(f"{thread} {SKIPPED_CALLS} {calls} {trace}\n")
        self.process.stdin.flush()
        self.answer()
        yield
        self.answer()

    def stop(self) -> None:
        # The server ends with its input, `step` when it has ended.
        self.process.stdin.close()
        self.process.wait()


class Call:
    """What a thread executed from one request to the next: addresses, each kernel call behind its own."""

    def __init__(self, words: array.array) -> None:
        self.words = words
        counts = collections.Counter(words)
        self.kernel = {word - KERNEL_CALL: count for word, count in counts.items() if word & KERNEL_CALL}
        self.counts = {word: count for word, count in counts.items() if not word & KERNEL_CALL}
        self.length = sum(self.counts.values())

    def figures(self, entries: dict[str, set[int]]) -> dict[str, int]:
        return {
            "instructions": self.length,
            "lines": len({address // LINE for address in self.counts}),
            "pages": len({address // PAGE for address in self.counts}),
            "kernel": sum(self.kernel.values()),
        } | {
            figure: sum(self.counts.get(address, 0) for address in addresses)
            for figure, addresses in entries.items()
        }


class Steps:
    """The calls of one row that one peer was stepped through."""

    def __init__(self, calls: list[Call], code: Code) -> None:
        self.calls = calls
        self.code = code
        self.typical = sorted(calls, key=lambda call: call.length)[len(calls) // 2]

    def summary(self) -> dict:
        entries = {
            figure: set().union(*(self.code.addresses(name) for name in names))
            for figure, names in COUNTED.items()
        }
        figures = [call.figures(entries) for call in self.calls]
        numbers = sorted({number for call in self.calls for number in call.kernel})
        kernel = {
            KERNEL_NAMES.get(number, str(number)): statistics.median_low(
                call.kernel.get(number, 0) for call in self.calls
            )
            for number in numbers
        }
        files: collections.Counter = collections.Counter()
        for address, count in self.typical.counts.items():
            files[self.code.function(address).image] += count
        lengths = [call.length for call in self.calls]
        return {
            "median": {name: statistics.median_low(one[name] for one in figures) for name in FIGURES},
            "kernel_calls": {name: count for name, count in kernel.items() if count},
            "instructions_of_files": dict(files.most_common()),
            "fewest_instructions": min(lengths),
            "most_instructions": max(lengths),
        }

    def top(self, count: int) -> list[dict]:
        """The functions with the most instructions of their own."""
        own: dict = collections.defaultdict(list)
        for address in self.typical.counts:
            own[self.code.function(address)].append(address)
        rows = [
            {
                "function": function.name,
                "file": function.image,
                "instructions": sum(self.typical.counts[address] for address in addresses),
                "entered": self.typical.counts.get(function.start, 0),
                "lines": len({address // LINE for address in addresses}),
            }
            for function, addresses in own.items()
        ]
        return sorted(rows, key=lambda row: (-row["instructions"], row["function"]))[:count]

    def callers(self, name: str) -> list[dict]:
        """Who entered the function, looked up through the stubs of the linker."""
        words = self.typical.words
        starts = self.code.addresses(name)
        found: collections.Counter = collections.Counter()
        for index, word in enumerate(words):
            if word not in starts:
                continue
            while index > 0:
                index -= 1
                if words[index] & KERNEL_CALL:
                    continue
                caller = self.code.function(words[index])
                if caller.name != "[plt]":
                    found[caller] += 1
                    break
        return [
            {"function": caller.name, "file": caller.image, "calls": count} for caller, count in found.most_common()
        ]


class Bench(rpc.Bench):
    load_timeout = LOAD_TIMEOUT

    def stepped(self, key: str, peer: str, server: Server) -> Steps:
        before = server.thread_times()
        is_stream = self.rows[key].is_stream
        self.load(key, server, WARM_CALLS // (rpc.REPLIES if is_stream else 1))
        times = {thread: time - before.get(thread, 0) for thread, time in server.thread_times().items()}
        thread = max(times, key=times.get)
        share = times[thread] / sum(times.values())
        if share < MIN_SHARE:
            print(f"  {peer}: only {share:.0%} of the work is in the thread that is stepped", file=sys.stderr)
        calls = (self.arguments.calls + 2) // 3 if is_stream else self.arguments.calls
        trace = server.log.with_suffix(".trace")
        with concurrent.futures.ThreadPoolExecutor(1) as pool, server.stepping(thread, calls, trace):
            # One more: a call ends where the next one begins.
            load = pool.submit(self.load, key, server, SKIPPED_CALLS + calls + 1)
        load.result()
        steps = Steps(read_calls(trace), Code(server.server_pid))
        trace.unlink()
        return steps

    def peer(self, peer: str, rows: list[str], security: str, core: int) -> dict:
        """The results of one peer, by row."""
        is_secure = security == "tls"
        log = self.folder / f"{peer}-{security}.log"
        results = {}
        with contextlib.ExitStack() as stack:
            server = Server(self.arguments.build / "step", self.command(peer, is_secure), log, is_secure, core)
            stack.callback(server.stop)
            for key in rows:
                steps = self.stepped(key, peer, server)
                result = results[key] = steps.summary()
                if self.arguments.top:
                    result["top"] = steps.top(self.arguments.top)
                if self.arguments.callers:
                    result["callers"] = {name: steps.callers(name) for name in self.arguments.callers}
        return results

    def run(self, peers: list[str], rows: list[str], securities: list[str]) -> dict:
        """Steps through as many servers at a time as there are cores: nothing here is timed."""
        cores = sorted(os.sched_getaffinity(0))
        # The longest first.
        jobs = [(security, peer) for peer in reversed(peers) for security in reversed(securities)]
        with concurrent.futures.ThreadPoolExecutor(len(cores)) as pool:
            running = {
                job: pool.submit(self.peer, job[1], rows, job[0], cores[index % len(cores)])
                for index, job in enumerate(jobs)
            }
        return {
            security: {key: {peer: running[security, peer].result()[key] for peer in peers} for key in rows}
            for security in securities
        }


def read_calls(trace: pathlib.Path) -> list[Call]:
    words = array.array("Q")
    words.frombytes(trace.read_bytes())
    calls, start = [], 0
    while start < len(words):
        end = words.index(BORDER, start)
        calls.append(Call(words[start:end]))
        start = end + 1
    return calls


def demangled(names: list[str]) -> list[str]:
    """Names of Swift and C++ as one reads them, where their tools are there."""
    for command in (["swift-demangle", "--compact", "--simplified"], ["c++filt"]):
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            names = subprocess.run(
                command, input="\n".join(names), capture_output=True, text=True, check=True
            ).stdout.splitlines()
    return names


def print_table(report: dict) -> None:
    found = [
        (ROWS[key].name, figure, security, {peer: one["median"][figure] for peer, one in results.items()})
        for key in ROWS
        for figure in FIGURES
        for security in rpc.SECURITIES
        if (results := report.get(security, {}).get(key))
    ]
    peers = [peer for peer in PEERS if any(peer in values for *_, values in found)]
    others = [peer for peer in peers if peer != "ours"]
    lines = []
    for row, figure, security, values in found:
        ratios = [
            f"{values['ours'] / values[peer]:.3f}" if "ours" in values and values[peer] else "-" for peer in others
        ]
        lines.append([f"{row}: {FIGURES[figure]}", rpc.SECURITIES[security]] + [str(values[p]) for p in peers] + ratios)
    rpc.print_markdown(["one call", ""] + [PEERS[p] for p in peers] + [f"/ {p}" for p in others], lines)


def print_parts(report: dict, title: str, part: str) -> None:
    """What a figure consists of, a line for each server."""
    print(f"\n{title}")
    for security, rows in report.items():
        for key, results in rows.items():
            for peer, result in results.items():
                parts = ", ".join(f"{count} {name}" for name, count in result[part].items())
                print(f"  {ROWS[key].name}, {rpc.SECURITIES[security]}, {PEERS[peer]}: {parts}")


def print_functions(title: str, rows: list[dict], columns: tuple[str, ...]) -> None:
    print(f"\n{title}")
    names = demangled([row["function"] for row in rows])
    lines = [
        [name[:MAX_NAME], row["file"], *(str(row[column]) for column in columns)] for name, row in zip(names, rows)
    ]
    rpc.print_markdown(["function", "file", *columns], lines)


def print_report(report: dict) -> None:
    print_table(report)
    print_parts(report, "kernel calls", "kernel_calls")
    print_parts(report, "instructions of each file", "instructions_of_files")
    for security, rows in report.items():
        for key, results in rows.items():
            for peer, result in results.items():
                where = f"{ROWS[key].name}, {rpc.SECURITIES[security]}, {PEERS[peer]}"
                if "top" in result:
                    print_functions(where, result["top"], ("instructions", "entered", "lines"))
                for name, callers in result.get("callers", {}).items():
                    if callers:
                        print_functions(f"{where}: callers of {name}", callers[:MAX_CALLERS], ("calls",))
                    if len(callers) > MAX_CALLERS:
                        rest = sum(caller["calls"] for caller in callers[MAX_CALLERS:])
                        print(f"and {rest} calls by {len(callers) - MAX_CALLERS} others (all are in the report)")


def main() -> None:
    parser = argparse.ArgumentParser(prog="steps.sh")
    parser.add_argument("--peers", default="c,ours", help="comma-separated; base is the program that BASELINE names")
    parser.add_argument("--rows", default=",".join(ROWS), help="comma-separated")
    parser.add_argument("--security", default=",".join(rpc.SECURITIES), help="plain, tls or both")
    parser.add_argument("--calls", type=int, default=5, help="that count; of streams a third of it")
    parser.add_argument("--top", type=int, default=0, help="functions with the most instructions to list")
    parser.add_argument("--callers", default="", help="comma-separated functions whose callers to list")
    for name in ("build", "certificates", "binaries", "report"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.calls < 1:
        raise SystemExit("error: --calls must be 1 or more")
    arguments.callers = [name for name in arguments.callers.split(",") if name]
    peers = rpc.chosen(arguments.peers, PEERS, "peer")
    rows = rpc.chosen(arguments.rows, ROWS, "row")
    securities = rpc.chosen(arguments.security, rpc.SECURITIES, "security")
    with tempfile.TemporaryDirectory() as folder:
        report = Bench(arguments, pathlib.Path(folder), ROWS).run(peers, rows, securities)
    print_report(report)
    arguments.report.parent.mkdir(exist_ok=True)
    arguments.report.write_text(json.dumps({"calls": arguments.calls} | report, indent=2))
    print(
        f"\nuser space of the thread that serves, one connection, medians of {arguments.calls} calls, of streams"
        f" a third as many; written to {arguments.report}"
    )


if __name__ == "__main__":
    main()
