"""A real S3 server for tests: OpenStack Swift with its s3api middleware, one node, one user.

It verifies signatures, which most fakes do not. Makes its configuration, rings and disk in a new
temporary folder, starts the four servers on loopback, makes the bucket, prints one line of JSON
with endpoint, region, bucket and keys, and serves until standard input ends.

Needs Debian's python3-swift alone (the packages of the single servers would also start them), run
by the interpreter that it belongs to, /usr/bin/python3, and a file system with user attributes
below TMPDIR.
"""

import base64
import email.utils
import getpass
import hmac
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ACCESS_KEY = "test:tester"
SECRET_KEY = "testing"
REGION = "us-east-1"
BUCKET = "oneshot-test"

# Half a second for a connection and ten for an answer, then 503, are right for a cluster with other
# nodes to ask. Here is one node, on a machine that may stand still for a while.
PATIENCE = """
conn_timeout = 300
node_timeout = 300
"""

BACKEND = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
log_level = ERROR

[pipeline:main]
pipeline = {kind}-server

[app:{kind}-server]
use = egg:swift#{kind}
""" + PATIENCE

PROXY = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {folder}
log_level = ERROR

[pipeline:main]
pipeline = catch_errors cache s3api tempauth proxy-server

[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
error_suppression_limit = 1000000
""" + PATIENCE + """
[filter:catch_errors]
use = egg:swift#catch_errors

[filter:cache]
use = egg:swift#memcache
# Nobody listens there: the middleware then works without remembering anything.
memcache_servers = 127.0.0.1:9

[filter:s3api]
use = egg:swift#s3api
location = {region}
s3_acl = false
dns_compliant_bucket_names = true

[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = {secret} .admin
"""

RUN = """
import sys
import swift.common.utils as utils
utils.SWIFT_CONF_FILE = sys.argv[1] + "/swift.conf"
from swift.common.wsgi import run_wsgi
sys.exit(run_wsgi(sys.argv[1] + "/" + sys.argv[2] + ".conf", sys.argv[2]))
"""


def reserve_port():
    """A socket whose port nobody is given while it is open, but the server that names it.

    Two sockets may have one port as long as both say SO_REUSEADDR and only one listens.
    """
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind(("127.0.0.1", 0))
    return one


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def configure(folder, ports):
    write(folder + "/swift.conf", "[swift-hash]\nswift_hash_path_suffix = oneshot\n")
    os.makedirs(folder + "/devices/d1")
    values = {"folder": folder, "user": getpass.getuser(), "region": REGION, "secret": SECRET_KEY}
    write(folder + "/proxy-server.conf", PROXY.format(port=ports["proxy"], **values))
    for kind in ("account", "container", "object"):
        text = BACKEND.format(port=ports[kind], kind=kind, **values)
        write(f"{folder}/{kind}-server.conf", text)
        make_ring(folder, kind, ports[kind])


def make_ring(folder, kind, port):
    from swift.common.ring import RingBuilder

    builder = RingBuilder(4, 1, 1)
    builder.add_dev({
        "id": 0, "region": 1, "zone": 1, "ip": "127.0.0.1", "port": port, "device": "d1",
        "weight": 1.0, "replication_ip": "127.0.0.1", "replication_port": port,
    })
    builder.rebalance()
    builder.get_ring().save(f"{folder}/{kind}.ring.gz")


def start(folder, kind):
    log = open(f"{folder}/{kind}.log", "wb")
    return subprocess.Popen(
        [sys.executable, "-c", RUN, folder, kind], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        start_new_session=True)


def request(endpoint, method, path):
    """Sends a request signed the old way, which is short; an empty text when it succeeded."""
    date = email.utils.formatdate(usegmt=True)
    code = hmac.digest(SECRET_KEY.encode(), f"{method}\n\n\n{date}\n{path}".encode(), "sha1")
    authorization = f"AWS {ACCESS_KEY}:{base64.b64encode(code).decode()}"
    try:
        connection = http.client.HTTPConnection(endpoint.removeprefix("http://"), timeout=10)
        connection.request(method, path, headers={"Date": date, "Authorization": authorization})
        response = connection.getresponse()
        return "" if response.status in (200, 204) else f"{response.status} {response.read()}"
    except (OSError, http.client.HTTPException) as error:
        return str(error)


def make_bucket(endpoint):
    """Makes the bucket, and an object in it: a bucket alone needs no object server."""
    place = f"/{BUCKET}/probe"
    deadline = time.monotonic() + 30
    for method, path in (("PUT", f"/{BUCKET}"), ("PUT", place), ("DELETE", place)):
        while problem := request(endpoint, method, path):
            if time.monotonic() > deadline:
                raise SystemExit(f"{method} {path}: {problem}")
            time.sleep(0.2)


def main():
    folder = tempfile.mkdtemp(prefix="oneshot-s3-")
    processes = []
    try:
        names = ("account", "container", "object", "proxy")
        sockets = {name: reserve_port() for name in names}
        ports = {name: one.getsockname()[1] for name, one in sockets.items()}
        configure(folder, ports)
        processes = [start(folder, name + "-server") for name in names]
        endpoint = f"http://127.0.0.1:{ports['proxy']}"
        try:
            make_bucket(endpoint)
        except SystemExit:
            for name in names:
                with open(f"{folder}/{name}-server.log", encoding="utf-8") as log:
                    sys.stderr.write(log.read())
            raise
        print(json.dumps({
            "endpoint": endpoint, "region": REGION, "bucket": BUCKET,
            "access_key": ACCESS_KEY, "secret_key": SECRET_KEY,
        }), flush=True)
        sys.stdin.read()
    finally:
        for process in processes:
            os.killpg(process.pid, signal.SIGKILL)
        for process in processes:
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
