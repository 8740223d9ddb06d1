"""Jobs that are ordered while something fails, and what has become of them and their credits."""

from __future__ import annotations

import threading
import uuid

import requests

from support import stack
from support.client import Client


def job_of(user_id: str, state: str) -> str | None:
    return stack.value(f"SELECT id FROM jobs.job WHERE user_id = '{user_id}' AND state = '{state}'")


class Order:
    """One user's request for one job, repeated with its key until it is answered."""

    def __init__(self) -> None:
        self.client = Client.registered()
        self.user = self.client.user_id
        self.params = {"input_upload_id": self.client.upload_photo()}
        self.key = str(uuid.uuid4())
        self.job_id: str | None = None
        self.thread: threading.Thread | None = None

    def send(self) -> bool:
        """Sends the request once; true when it was answered for good."""
        try:
            reply = self.client.create("face_restore", self.params, self.key)
        except requests.RequestException:
            return False
        if reply.status_code == 201:
            self.job_id = reply.json()["id"]
            return True
        retry = reply.status_code in (409, 429, 500, 502, 503, 504)
        assert retry, f"{reply.status_code}: {reply.text}"
        return False

    def send_in_background(self) -> None:
        self.thread = threading.Thread(target=self.send, daemon=True)
        self.thread.start()

    def until_state(self, state: str) -> str:
        return stack.until(f"a job that is {state}", lambda: job_of(self.user, state))


def unsettled(users: list[str]) -> list[list[str]]:
    """Jobs of these users that have not ended, and holds that are neither captured nor released."""
    names = ", ".join(f"'{user}'" for user in users)
    return stack.query(
        "SELECT id, state FROM jobs.job WHERE state IN ('admitting', 'pending', 'running') "
        f"AND user_id IN ({names}) UNION ALL "
        "SELECT job_id, state FROM billing.credit_hold WHERE state = 'held' "
        f"AND user_id IN ({names})"
    )
