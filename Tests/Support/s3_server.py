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
"""

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


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


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


def make_bucket(endpoint):
    """Makes the bucket by a request signed the old way, which is short."""
    address = endpoint.removeprefix("http://")
    date = email.utils.formatdate(usegmt=True)
    text = f"PUT\n\n\n{date}\n/{BUCKET}"
    code = hmac.digest(SECRET_KEY.encode(), text.encode(), "sha1")
    authorization = f"AWS {ACCESS_KEY}:{base64.b64encode(code).decode()}"
    deadline = time.monotonic() + 30
    while True:
        try:
            connection = http.client.HTTPConnection(address, timeout=10)
            connection.request(
                "PUT", f"/{BUCKET}", headers={"Date": date, "Authorization": authorization})
            response = connection.getresponse()
            if response.status == 200:
                return
            problem = f"{response.status} {response.read().decode()}"
        except OSError as error:
            problem = str(error)
        if time.monotonic() > deadline:
            raise SystemExit(f"no bucket: {problem}")
        time.sleep(0.2)


def main():
    folder = tempfile.mkdtemp(prefix="oneshot-s3-")
    processes = []
    try:
        names = ("account", "container", "object", "proxy")
        ports = dict(zip(names, free_ports(4)))
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
