"""Another client of a server that is under attack, in a process of its own.

It asks one question after the other and answers each line on standard input by the number of
answers, of failures, and the slowest answer in milliseconds since the line before.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.frames import END_HEADERS, END_STREAM, HEADERS, DATA, Peer, Target, frame  # noqa: E402


class Bystander:
    def __init__(self, target: Target, head: bytes, body: bytes) -> None:
        self.target, self.head, self.body = target, head, body
        self.lock = threading.Lock()
        self.answers, self.failures, self.worst = 0, 0, 0.0

    def ask(self, peer: Peer, number: int) -> bool:
        message = frame(HEADERS, END_HEADERS | (0 if self.body else END_STREAM), number, self.head)
        if self.body:
            message += frame(DATA, END_STREAM, number, self.body)
        peer.write(message)
        return peer.until(lambda: number in peer.streams and peer.streams[number].is_over, 20)

    def run(self) -> None:
        while True:
            with Peer(self.target) as peer:
                number = 1
                # A new connection now and then: an attack must not keep newcomers out either.
                while number < 1000:
                    started = time.monotonic()
                    answered = self.ask(peer, number)
                    taken = time.monotonic() - started
                    with self.lock:
                        self.answers += answered
                        self.failures += not answered
                        self.worst = max(self.worst, taken)
                    if not answered:
                        break
                    peer.streams.clear()
                    number += 2
                    time.sleep(0.005)

    def report(self) -> str:
        with self.lock:
            line = f"{self.answers} {self.failures} {self.worst * 1000:.1f}"
            self.answers, self.failures, self.worst = 0, 0, 0.0
        return line


def main() -> None:
    port, caller, secure, head, body = sys.argv[1:6]
    folder, _, name = caller.rpartition(":")
    target = Target(int(port), (Path(folder), name) if caller else None, secure == "1")
    bystander = Bystander(target, bytes.fromhex(head), bytes.fromhex(body))
    threading.Thread(target=bystander.run, daemon=True).start()
    for _ in sys.stdin:
        print(bystander.report(), flush=True)


if __name__ == "__main__":
    main()
