"""The pages that describe the product and tell whether it works."""

import re
import unittest

from support import stack
from support.client import Client

# What each service's /readyz reports, and whether the service is ready without it.
DEPENDENCIES = {
    "auth": {"database": True, "redis": True, "billing": False, "jobs": False},
    "billing": {"database": True},
    "gpu": {"database": True, "storage": True, "provider": True},
    "jobs": {"database": True, "redis": True, "storage": True, "billing": False, "gpu": False},
    "edge": {"redis": True, "auth": False, "billing": False, "jobs": False},
}


def admin(service: str) -> str:
    return f"http://127.0.0.1:{stack.port(service.upper() + '_ADMIN')}/readyz"


class Readiness(unittest.TestCase):
    def check(self, report: dict, wanted: dict[str, bool], down: frozenset[str]) -> None:
        self.assertEqual(
            {name: entry["required"] for name, entry in report["services"].items()}, wanted
        )
        for name, entry in report["services"].items():
            self.assertEqual(entry["healthy"], name not in down, (name, entry))
            self.assertIsInstance(entry["duration_ms"], float, name)
            self.assertTrue(0 <= entry["duration_ms"] < 3000, (name, entry))
        self.assertGreaterEqual(
            report["total_duration_ms"],
            max(entry["duration_ms"] for entry in report["services"].values()),
        )

    def test_dependencies(self):
        """Each service names and times what it needs and whom it calls"""
        for service, wanted in DEPENDENCIES.items():
            with self.subTest(service):
                reply = Client().get(admin(service))
                self.assertEqual(reply.status_code, 200, reply.text)
                self.check(reply.json(), wanted, frozenset())

    def test_public(self):
        """The public page shows the same without details"""
        reply = Client().get("/readyz")
        self.assertEqual(reply.status_code, 200, reply.text)
        self.check(reply.json(), DEPENDENCIES["edge"], frozenset())
        for entry in reply.json()["services"].values():
            self.assertEqual(set(entry), {"healthy", "required", "duration_ms"})

    def test_peer_down(self):
        """A service that is down is reported by those that call it, and they stay ready"""
        client = Client()
        callers = {name for name, wanted in DEPENDENCIES.items() if "billing" in wanted}
        self.assertEqual(callers, {"auth", "edge", "jobs"})
        stack.kill("billing")
        try:
            for service in sorted(callers):
                report = stack.until(
                    f"billing reported as down by {service}",
                    lambda: (reply := client.get(admin(service)).json())
                    and not reply["services"]["billing"]["healthy"]
                    and reply,
                )
                self.assertTrue(report["healthy"], report)
                self.check(report, DEPENDENCIES[service], frozenset({"billing"}))
                self.assertTrue(report["services"]["billing"]["details"]["error"])
            public = client.get("/readyz")
            self.assertEqual(public.status_code, 200, public.text)
            self.check(public.json(), DEPENDENCIES["edge"], frozenset({"billing"}))
            status = stack.ctl("status")
            self.assertEqual(status.returncode, 1, status.stdout)
            self.assertRegex(status.stdout, r"billing +NOT READY")
        finally:
            stack.start("billing")
        for service in sorted(callers):
            stack.until(
                f"billing seen again by {service}",
                lambda: client.get(admin(service)).json()["services"]["billing"]["healthy"],
            )


class Description(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.client = Client()
        cls.document = cls.client.ok(cls.client.get("/openapi.json"))

    def resolve(self, reference: str) -> dict:
        self.assertTrue(reference.startswith("#/"), reference)
        found = self.document
        for part in reference[2:].split("/"):
            found = found[part.replace("~1", "/").replace("~0", "~")]
        return found

    def references(self, node) -> list[str]:
        if isinstance(node, dict):
            inner = [one for value in node.values() for one in self.references(value)]
            return inner + ([node["$ref"]] if isinstance(node.get("$ref"), str) else [])
        if isinstance(node, list):
            return [one for value in node for one in self.references(value)]
        return []

    def operations(self) -> list[tuple[str, str, dict]]:
        methods = {"get", "put", "post", "delete", "patch", "head", "options"}
        return [
            (method.upper(), path, operation)
            for path, item in self.document["paths"].items()
            for method, operation in item.items()
            if method in methods
        ]

    def test_openapi(self):
        """openapi.json is OpenAPI 3.1: its parts are there and its references lead somewhere"""
        self.assertRegex(self.document["openapi"], r"^3\.1\.\d+$")
        self.assertTrue(self.document["info"]["title"] and self.document["info"]["version"])
        references = self.references(self.document)
        self.assertTrue(references)
        for reference in set(references):
            self.assertIsInstance(self.resolve(reference), dict, reference)
        names = [operation["operationId"] for _, _, operation in self.operations()]
        self.assertEqual(len(names), len(set(names)))
        for method, path, operation in self.operations():
            with self.subTest(f"{method} {path}"):
                self.assertTrue(operation["responses"])
                for status, response in operation["responses"].items():
                    self.assertRegex(status, r"^([1-5]\d\d|[1-5]XX|default)$")
                    response = self.resolve(response["$ref"]) if "$ref" in response else response
                    self.assertTrue(response["description"])
                named = {
                    one["name"]
                    for one in operation.get("parameters", [])
                    if one.get("in") == "path"
                }
                self.assertEqual(named, set(re.findall(r"\{(\w+)\}", path)))

    def test_routes(self):
        """Every operation of openapi.json answers, and a method that it does not list is 405"""
        operations = self.operations()
        self.assertGreaterEqual(len(operations), 14)
        listed: dict[str, set[str]] = {}
        for method, path, _ in operations:
            listed.setdefault(path, set()).add(method)
            target = re.sub(r"\{\w+\}", "0193e4a0-0000-7000-8000-000000000000", path)
            with self.subTest(f"{method} {path}"):
                reply = self.client.request(method, target, data=b"{}" if method != "GET" else None)
                code = "" if reply.ok else reply.json()["error_code"]
                self.assertNotIn(code, ("ROUTE_NOT_FOUND", "METHOD_NOT_ALLOWED", "UNIMPLEMENTED"))
                self.assertLess(reply.status_code, 500, reply.text)
        for path, methods in listed.items():
            if methods & {"DELETE"}:
                continue
            target = re.sub(r"\{\w+\}", "0193e4a0-0000-7000-8000-000000000000", path)
            reply = self.client.request("DELETE", target)
            self.assertEqual(
                (reply.status_code, reply.json()["error_code"]), (405, "METHOD_NOT_ALLOWED"), path
            )

    def test_documentation(self):
        """/docs shows every operation and every error to people"""
        reply = self.client.get("/docs")
        self.assertEqual(reply.status_code, 200)
        self.assertEqual(reply.headers["Content-Type"], "text/html; charset=utf-8")
        self.assertIn("default-src 'none'", reply.headers["Content-Security-Policy"])
        for method, path, _ in self.operations():
            self.assertIn(f"<code>{method} {path}</code>", reply.text)
        for code in ("RATE_LIMITED", "BODY_TOO_LARGE", "SIGNATURE_INVALID"):
            self.assertIn(f'id="{code}"', reply.text)
