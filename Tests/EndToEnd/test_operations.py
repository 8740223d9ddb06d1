"""What operators do with the scripts: starting twice, taken ports, leaving nothing behind."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path

from support import stack

DEPLOY = stack.ROOT / "deploy"
PROGRAMS = {
    "auth": "AuthSvc",
    "billing": "BillingSvc",
    "edge": "EdgeProxy",
    "gpu": "GPUGateway",
    "jobs": "JobSvc",
}


def run(*command: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def processes_in(folder: Path) -> list[str]:
    """Command lines of the processes that work in a folder, or were told of one in it."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
            told = (entry / "environ").read_bytes().decode(errors="replace")
            place = os.readlink(entry / "cwd")
        except OSError:
            continue
        if str(folder) in words or f"={folder}" in told or place.startswith(str(folder)):
            found.append(f"{entry.name}: {words}")
    return found


class Stacks(unittest.TestCase):
    """A checkout of its own, with the programs of this one, and a folder for its state."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="oneshot-operations-", dir="/var/tmp"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.folder.chmod(0o711)
        self.checkout = self.folder / "checkout"
        shutil.copytree(DEPLOY, self.checkout / "deploy", symlinks=True)
        shutil.copy(stack.ROOT / "Makefile", self.checkout)
        self.state = self.folder / "state"

    def run_script(self, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return run(
            *command,
            **{"ONESHOT_INSTANCE": "operations", "ONESHOT_STATE_DIR": str(self.state)}
            | {"ONESHOT_BINARIES": stack.info()["BINARIES"]}
            | settings,
        )

    def up(self, **settings: str) -> subprocess.CompletedProcess[str]:
        return self.run_script(str(self.checkout / "deploy/scripts/stack.sh"), "up", **settings)

    def make(self, target: str) -> subprocess.CompletedProcess[str]:
        return self.run_script("make", "-C", str(self.checkout), target)

    def test_down_and_clean(self):
        """A second up is refused; down leaves no process and no data, clean leaves nothing"""
        first = self.up()
        self.addCleanup(self.make, "down")
        self.assertEqual(first.returncode, 0, first.stdout + first.stderr)
        self.assertIn("ready after", first.stdout)
        self.assertTrue(processes_in(self.state))
        again = self.up()
        self.assertEqual(again.returncode, 1, again.stdout)
        self.assertIn("already up", again.stderr)
        self.assertIn("make down", again.stderr)
        down = self.make("down")
        self.assertEqual(down.returncode, 0, down.stdout + down.stderr)
        self.assertEqual(processes_in(self.state), [])
        self.assertFalse((self.state / "operations").exists())
        made = [self.checkout / name for name in (".build", ".tools", "out")]
        for place in made:
            place.mkdir()
        clean = self.make("clean")
        self.assertEqual(clean.returncode, 0, clean.stdout + clean.stderr)
        left = [place for place in [self.state, *made] if place.exists()]
        self.assertEqual(left, [])

    def test_taken_port(self):
        """A port that is taken is named, with the key that changes it; nothing is started"""
        names = [line for line in stack.info() if line.startswith("PORT_")]
        free, ports = [], {}
        for name in names:
            free.append(socket.socket())
            free[-1].bind(("127.0.0.1", 0))
            ports[f"ONESHOT_{name}"] = str(free[-1].getsockname()[1])
        for one in free:
            one.close()
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            done = self.up(ONESHOT_INSTANCE="main", **ports | {"ONESHOT_PORT_JOBS": port})
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn(f"port {port} is in use by another program", done.stderr)
        self.assertIn("set ONESHOT_PORT_JOBS", done.stderr)
        self.assertEqual(processes_in(self.state), [])

    def test_swift_version(self):
        """A Swift that is missing, too old or broken is told from a good one"""
        swift = self.folder / "bin" / "swift"
        swift.parent.mkdir()
        path = f"{swift.parent}:/usr/sbin:/usr/bin:/sbin:/bin"
        missing = run(DEPLOY / "scripts/deps.sh", PATH=path)
        cases = [(missing, "Swift 6.3 is not on the PATH")]
        for text, complaint in (
            ("echo Swift version 5.10.1 '(swift-5.10.1-RELEASE)'", "Swift 5.10 is too old"),
            ("echo Swift version 6.2 '(swift-6.2-RELEASE)'", "OneShot needs 6.3 or newer"),
            ("echo swift the bird", "names no version"),
            ("exit 1", "the toolchain is not complete"),
            ("echo Swift version 6.3.1 '(swift-6.3.1-RELEASE)'", ""),
            ("echo Swift version 6.10 '(swift-6.10-RELEASE)'", ""),
        ):
            swift.write_text(f"#!/bin/sh\n{text}\n")
            swift.chmod(0o755)
            cases.append((run(DEPLOY / "scripts/deps.sh", PATH=path), complaint))
        for done, complaint in cases:
            with self.subTest(complaint):
                self.assertEqual(done.returncode, 1 if complaint else 0, done.stderr)
                self.assertIn(complaint, done.stderr)
                self.assertIn("swift.org/install" if complaint else "", done.stderr)


class Deployment(unittest.TestCase):
    def documented(self, program: str) -> set[str]:
        """The keys that a program prints for people."""
        done = run(Path(stack.info()["BINARIES"]) / program, "--help")
        self.assertEqual(done.returncode, 0, done.stderr)
        return set(re.findall(r"^([A-Z][A-Z0-9_]*)", done.stdout, re.MULTILINE))

    def test_templates(self):
        """Every documented key of a service stands in its template, and no other"""
        for name, program in PROGRAMS.items():
            with self.subTest(name):
                text = (DEPLOY / "env" / f"{name}.env.template").read_text()
                keys = re.findall(r"^#?([A-Z][A-Z0-9_]*)=", text, re.MULTILINE)
                self.assertEqual(len(keys), len(set(keys)), "a key stands there twice")
                documented = self.documented(program)
                # A secret may be given by its file.
                known = {key if key in documented else key.removesuffix("_FILE") for key in keys}
                self.assertEqual(known, documented)

    def test_units(self):
        """systemd accepts the unit of each service"""
        binaries = Path(stack.info()["BINARIES"])
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            shutil.copytree(DEPLOY / "systemd", folder, dirs_exist_ok=True)
            for service, program in PROGRAMS.items():
                place = folder / f"oneshot@{service}.service.d" / "service.conf"
                text = place.read_text()
                self.assertIn(f"ExecStart=/usr/lib/oneshot/{program}\n", text)
                # Not installed here: systemd checks that the program exists.
                place.write_text(text.replace("/usr/lib/oneshot", str(binaries)))
            for service in PROGRAMS:
                with self.subTest(service):
                    done = run(
                        "systemd-analyze", "verify", "--man=no", "--recursive-errors=no",
                        folder / f"oneshot@{service}.service",
                    )
                    self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))
            # What the check is worth: a unit with a mistake in it.
            broken = folder / "oneshot@auth.service.d" / "service.conf"
            broken.write_text(broken.read_text() + "MemoryMaximum=1G\n")
            done = run(
                "systemd-analyze", "verify", "--man=no", folder / "oneshot@auth.service"
            )
            self.assertIn("MemoryMaximum", done.stderr)
