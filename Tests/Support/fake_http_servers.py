"""Servers for the HTTP client's tests.

An "outside" HTTP server on 127.0.0.9 that behaves as its paths say, and "inside" listeners on the
same port of other loopback addresses, which count the connections they see. Prints one line with
the port, then serves until standard input ends.
"""

import itertools
import json
import socket
import socketserver
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler

OUTSIDE = "127.0.0.9"
INSIDE = ["127.0.0.1", "127.0.0.2", "::1"]

inside_connections = itertools.count()
inside_seen = 0
arrived = {}
attempts = {}
lock = threading.Lock()
connection_numbers = itertools.count(1)


def arrival(name):
    with lock:
        return arrived.setdefault(name, threading.Event())


class Outside(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.number = next(connection_numbers)

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **fields):
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def serve(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        length = int(self.headers.get("Content-Length", 0))
        self.body = self.rfile.read(length)
        arrival(query.get("name", "")).set()
        handler = getattr(self, "on_" + url.path.split("/")[1], None)
        if handler:
            handler(query)
        else:
            self.answer(404)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = serve

    def on_echo(self, _):
        seen = {
            "method": self.command,
            "path": self.path,
            "headers": {k.lower(): v for k, v in self.headers.items()},
            "body": self.body.decode("latin-1"),
            "connection": self.number,
        }
        self.answer(200, json.dumps(seen).encode(), Content_Type="application/json", X_Twice=" a ")

    def on_status(self, query):
        self.answer(int(query["code"]), b"body")

    def on_inside(self, _):
        self.answer(200, str(inside_seen).encode())

    def on_redirect(self, query):
        self.answer(int(query.get("code", "302")), Location=query["to"])

    def on_chain(self, query):
        left = int(query["left"])
        if left == 0:
            self.answer(200, b"end")
        else:
            self.answer(302, Location=f"/chain?left={left - 1}")

    def on_big(self, query):
        self.answer(200, b"x" * int(query["bytes"]))

    def on_endless(self, _):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        except OSError:
            self.close_connection = True

    def on_headers(self, _):
        self.send_response(200)
        try:
            for number in range(90):
                self.send_header(f"X-Field-{number}", "x" * 1000)
            self.answer(200)
        except OSError:
            self.close_connection = True

    def on_gzip(self, _):
        self.answer(200, b"\x1f\x8b not unpacked", Content_Encoding="gzip")

    def on_hints(self, _):
        self.wfile.write(b"HTTP/1.1 103 Early Hints\r\nX-Interim: yes\r\n\r\n")
        self.answer(200, b"final")

    def on_hang(self, _):
        self.connection.recv(1)
        self.close_connection = True

    def on_close(self, _):
        self.close_connection = True

    def on_cut(self, _):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        self.close_connection = True

    def on_garbage(self, _):
        self.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        self.close_connection = True

    def on_busy(self, _):
        """An S3 bucket that is busy twice for each path, then has an object everywhere."""
        with lock:
            seen = attempts[self.path] = attempts.get(self.path, 0) + 1
        if seen <= 2:
            body = b"<Error><Code>SlowDown</Code><Message>slow</Message></Error>"
            self.answer(503, body, Content_Type="application/xml")
        else:
            self.answer(200, str(seen).encode(), Content_Type="text/plain")

    def on_denied(self, _):
        """An S3 bucket that refuses us."""
        self.answer(403, b"<Error><Code>AccessDenied</Code></Error>")

    def on_arrived(self, query):
        seen = arrival(query["of"]).wait(10)
        self.answer(200 if seen else 504)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


def count_connections(listener):
    global inside_seen
    while True:
        connection, _ = listener.accept()
        inside_seen = next(inside_connections) + 1
        connection.close()


def listen_inside(port):
    listeners = []
    for address in INSIDE:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address, port))
        except OSError:
            if address != "::1":  # some machines have no IPv6
                raise
            continue
        listener.listen(128)
        listeners.append(listener)
    return listeners


def start():
    for _ in range(50):
        server = Server((OUTSIDE, 0), Outside)
        try:
            listeners = listen_inside(server.server_address[1])
        except OSError:
            server.server_close()
            continue
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for listener in listeners:
            threading.Thread(target=count_connections, args=(listener,), daemon=True).start()
        return server.server_address[1]
    raise SystemExit("no port that is free on all addresses")


print(start(), flush=True)
sys.stdin.read()
