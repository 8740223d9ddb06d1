"""Loads three calls of the public API with wrk and prints rate, p99 and CPU per request."""

import argparse
import concurrent.futures
import http.client
import json
import os
import pathlib
import subprocess
import tempfile

SERVICES = ("edge", "auth", "billing", "jobs", "gpu")
TICKS = os.sysconf("SC_CLK_TCK")

# Every connection walks through the users; replies that are not 2xx are counted.
SCRIPT = """
local users, method, path, body = {}, "%(method)s", "%(path)s", %(body)s
for line in io.lines("%(users)s") do
  local token, job, upload = line:match("(%%S+) (%%S+) (%%S+)")
  users[#users + 1] = { token, job, upload }
end
local turn = 0
function request()
  turn = turn %% #users + 1
  local headers = { Authorization = "Bearer " .. users[turn][1] }
  local text = body
  if body then
    headers["Content-Type"] = "application/json"
    text = body:gsub("UPLOAD", users[turn][3])
  end
  return wrk.format(method, (path:gsub("JOB", users[turn][2])), headers, text)
end
function done(summary, latency)
  io.write(string.format("RESULT %%d %%d %%d %%d %%d\\n", summary.requests, summary.duration,
    summary.errors.status + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""
JOB = {"job_type": "face_restore", "params": {"input_upload_id": "UPLOAD"}}
PHOTO = pathlib.Path(__file__).parent.parent / "Tests/Fixtures/photos/grace_hopper.jpg"


def call(port, method, path, body=None, token=None, headers=None):
    """Makes one request; returns the decoded reply of a success."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = dict(headers or {})
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if isinstance(body, dict):
        body = json.dumps(body)
        headers["Content-Type"] = "application/json"
    connection.request(method, path, body, headers)
    reply = connection.getresponse()
    text = reply.read()
    connection.close()
    if not 200 <= reply.status < 300:
        raise SystemExit(f"{method} {path}: {reply.status} {text.decode()}")
    return json.loads(text) if text else {}


def make_user(port, number, run):
    """Registers a user, uploads a photograph, creates one job; returns token and both ids."""
    account = {"email": f"bench-{run}-{number}@example.com", "password": "correct horse battery"}
    call(port, "POST", "/api/v1/auth/register", account)
    token = call(port, "POST", "/api/v1/auth/login", account)["access_token"]
    wanted = {"filename": "photo.jpg", "content_type": "image/jpeg"}
    upload = call(port, "POST", "/api/v1/uploads/presign", wanted, token)
    target = upload["upload_url"].split(f":{port}", 1)[1]
    call(port, "PUT", target, PHOTO.read_bytes(), headers={"Content-Type": "image/jpeg"})
    body = json.loads(json.dumps(JOB).replace("UPLOAD", upload["upload_id"]))
    return token, call(port, "POST", "/api/v1/jobs", body, token)["id"], upload["upload_id"]


def cpu_seconds(folder, name):
    """CPU time of one process so far."""
    pid = int((pathlib.Path(folder) / f"{name}.pid").read_text().split()[0])
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def cpu_of_postgres():
    """CPU time of all PostgreSQL processes of the machine, which should run no other."""
    total = 0.0
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        if "(postgres)" in text:
            fields = text.rsplit(")", 1)[1].split()
            total += (int(fields[11]) + int(fields[12])) / TICKS
    return total


def measure(arguments, users, method, path, body):
    """Runs wrk once; returns what it and the processes tell."""
    with tempfile.TemporaryDirectory() as folder:
        listing = pathlib.Path(folder) / "users"
        listing.write_text("".join(" ".join(user) + "\n" for user in users))
        quoted = json.dumps(body) if body else None
        script = pathlib.Path(folder) / "load.lua"
        values = {
            "users": listing,
            "method": method,
            "path": path,
            "body": f"[==[{quoted}]==]" if quoted else "nil",
        }
        script.write_text(SCRIPT % values)
        command = ["wrk", "-t1", f"-c{arguments.connections}", f"-d{arguments.seconds}s",
                   "--timeout", "10s", "-s", str(script), f"http://127.0.0.1:{arguments.port}"]
        before = {name: cpu_seconds(arguments.processes, name) for name in (*SERVICES, "redis")}
        before["postgres"] = cpu_of_postgres()
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        after = {name: cpu_seconds(arguments.processes, name) for name in (*SERVICES, "redis")}
        after["postgres"] = cpu_of_postgres()
    line = next(line for line in output.splitlines() if line.startswith("RESULT"))
    requests, microseconds, errors, median, worst = map(int, line.split()[1:])
    if errors:
        raise SystemExit(f"{method} {path}: {errors} of {requests} replies were not 2xx\n{output}")
    spent = {name: (after[name] - before[name]) * 1e6 / requests for name in before}
    return {
        "requests": requests,
        "requests_per_second": requests * 1e6 / microseconds,
        "p50_ms": median / 1000,
        "p99_ms": worst / 1000,
        "cpu_us": {name: round(value, 1) for name, value in spent.items()},
        "cpu_us_ours": round(sum(spent[name] for name in SERVICES), 1),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--users", type=int, required=True)
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--processes", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--report", required=True)
    arguments = parser.parse_args()

    run = os.urandom(4).hex()
    print(f"registering {arguments.users} users", flush=True)
    users = []
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        numbers = range(arguments.users)
        for user in pool.map(lambda number: make_user(arguments.port, number, run), numbers):
            users.append(user)
            if len(users) % 100 == 0:
                print(f"    {len(users)} of {arguments.users}", flush=True)

    report = {}
    print(f"{'call':<24}{'req/s':>8}{'p50 ms':>8}{'p99 ms':>8}{'CPU us':>8}{'pg us':>8}{'redis us':>9}")
    for name, method, path, body in (
        ("GET /auth/me", "GET", "/api/v1/auth/me", None),
        ("GET /jobs/{id}", "GET", "/api/v1/jobs/JOB", None),
        ("POST /jobs", "POST", "/api/v1/jobs", JOB),
    ):
        result = measure(arguments, users, method, path, body)
        report[name] = result
        print(
            f"{name:<24}{result['requests_per_second']:>8.0f}{result['p50_ms']:>8.2f}"
            f"{result['p99_ms']:>8.2f}{result['cpu_us_ours']:>8.0f}"
            f"{result['cpu_us']['postgres']:>8.0f}{result['cpu_us']['redis']:>9.0f}",
            flush=True,
        )
    report["users"] = arguments.users
    report["connections"] = arguments.connections
    pathlib.Path(arguments.report).write_text(json.dumps(report, indent=2))
    print("CPU per request of our five processes together; PostgreSQL and Redis beside it")


if __name__ == "__main__":
    main()
