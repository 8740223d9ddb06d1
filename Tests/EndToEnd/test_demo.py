"""What `make demo` shows, run against the stack under test."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from support import pictures, stack


class Demo(unittest.TestCase):
    def test_demo(self):
        """The demo ends with three pictures and their prices"""
        with tempfile.TemporaryDirectory() as out:
            done = subprocess.run(
                [
                    sys.executable,
                    str(stack.ROOT / "clients" / "demo" / "demo.py"),
                    *("--url", stack.url(), "--out", out),
                    *("--photo", str(stack.PHOTOS / "astronaut.png")),
                    *("--worn", str(stack.PHOTOS / "astronaut_worn.jpg")),
                    *("--face", str(stack.PHOTOS / "grace_hopper.jpg")),
                ],
                capture_output=True,
                text=True,
                timeout=180,
            )
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn("422 PARAMETER_VIOLATION", done.stdout)
            self.assertIn("credits 10 → 9", done.stdout)
            sizes = {
                name: pictures.size((Path(out) / f"{name}.png").read_bytes())
                for name in ("face_restore", "upscale", "face_swap")
            }
        self.assertEqual(sizes["face_restore"], (512, 512))
        self.assertEqual(sizes["upscale"], (1024, 1024))
