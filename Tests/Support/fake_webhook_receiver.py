"""A receiver of webhooks for tests, which behaves as its paths say and remembers what came.

    POST /hook/<name>?answers=500,200   answers with these statuses, one after the other; the last
                                        stays. `hang` holds the connection open without an answer,
                                        a status 3xx leads to the inside listener.
    GET  /wait/<name>?count=2           waits for so many requests of that name, then lists them
    GET  /inside                        how many connections the inside listener has seen

Listens on the same port of 127.0.0.8 and 127.0.0.9 (two hosts) and, as the inside, 127.0.0.1.
Prints the port, then serves until standard input ends.
"""

import http.server
import json
import socket
import sys
import threading
import urllib.parse

HOSTS = ["127.0.0.9", "127.0.0.8"]
INSIDE = "127.0.0.1"
PATIENCE = 60

arrived = threading.Condition()
seen = {}
inside_seen = 0
port = 0


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **fields):
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def parts(self):
        url = urllib.parse.urlsplit(self.path)
        return url.path.split("/")[1:], dict(urllib.parse.parse_qsl(url.query))

    def do_POST(self):
        path, query = self.parts()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = {
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": body.decode("utf-8"),
        }
        with arrived:
            requests = seen.setdefault(path[1], [])
            requests.append(request)
            number = len(requests)
            arrived.notify_all()
        answers = query.get("answers", "200").split(",")
        answer = answers[min(number, len(answers)) - 1]
        if answer == "hang":
            self.connection.recv(1)
            self.close_connection = True
        elif answer.startswith("3"):
            self.answer(int(answer), Location=f"http://{INSIDE}:{port}/stolen")
        else:
            self.answer(int(answer), b"thank you")

    def do_GET(self):
        path, query = self.parts()
        if path[0] == "inside":
            return self.answer(200, str(inside_seen).encode())
        count = int(query.get("count", "1"))
        with arrived:
            arrived.wait_for(lambda: len(seen.get(path[1], [])) >= count, PATIENCE)
            found = json.dumps(seen.get(path[1], []))
        self.answer(200, found.encode(), Content_Type="application/json")


def count_inside(listener):
    global inside_seen
    while True:
        connection, _ = listener.accept()
        inside_seen += 1
        connection.close()


def listen():
    """Binds all addresses to one free port."""
    global port
    while True:
        servers = []
        try:
            first = http.server.ThreadingHTTPServer((HOSTS[0], 0), Receiver)
            servers.append(first)
            port = first.server_address[1]
            for host in HOSTS[1:]:
                servers.append(http.server.ThreadingHTTPServer((host, port), Receiver))
            inside = socket.create_server((INSIDE, port))
        except OSError:
            for server in servers:
                server.server_close()
            continue
        return servers, inside


def main():
    servers, inside = listen()
    for server in servers:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Thread(target=count_inside, args=(inside,), daemon=True).start()
    print(port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
