"""What all the other tests have left in the logs; this file runs last."""

import json
import unittest
from pathlib import Path

from support import stack
from support.client import Client, secrets_seen


def stored_secrets() -> dict[str, str]:
    """What the stack was given to keep: passwords of the stores, keys."""
    state = Path(stack.info()["STATE"])
    found = {f"secrets/{place.name}": place.read_text() for place in (state / "secrets").iterdir()}
    for place in stack.certificates().iterdir():
        text = place.read_text(errors="replace")
        if "PRIVATE KEY" in text:
            lines = [line for line in text.splitlines() if line and "-----" not in line]
            found |= {f"certs/{place.name} line {n}": line for n, line in enumerate(lines)}
    found["certs/store.key"] = (stack.certificates() / "store.key").read_text()
    return {name: text.strip() for name, text in found.items()}


class Logs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.places = sorted(Path(stack.info()["LOGS"]).glob("*.log"))

    def records(self, service: str) -> list[dict]:
        place = Path(stack.info()["LOGS"]) / f"{service}.log"
        return [json.loads(line) for line in place.read_text().splitlines() if line[:1] == "{"]

    def test_no_secrets(self):
        """No password, token, key or signed link stands in any log"""
        client = Client.registered()
        client.restore()
        planted = stored_secrets() | secrets_seen()
        kinds = {name.split(" ")[0] for name in planted}
        self.assertGreaterEqual(
            kinds, {"password", "access", "refresh", "signature", "secrets/redis", "certs/ca.key"}
        )
        self.assertGreaterEqual({place.stem for place in self.places}, set(stack.SERVICES))
        hits = []
        for place in self.places:
            text = place.read_text(errors="replace")
            hits += [f"{place.name}: {name}" for name, secret in planted.items() if secret in text]
        self.assertEqual(hits, [])

    def test_ids(self):
        """Lines about a request carry its ids, those about a job the job's"""
        for service in ("auth", "billing", "jobs", "gpu"):
            with self.subTest(service):
                records = self.records(service)
                self.assertTrue(records)
                for record in records:
                    self.assertLessEqual({"ts", "level", "service", "message"}, set(record))
        with_job = [one for name in ("jobs", "gpu", "billing") for one in self.records(name)]
        self.assertTrue([one for one in with_job if "job_id" in one])
