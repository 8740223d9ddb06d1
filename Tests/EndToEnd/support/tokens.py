"""Access tokens as an attacker, or an old phone, would present them."""

import base64
import json
import subprocess
from pathlib import Path


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def parts(token: str) -> tuple[dict, dict]:
    """Header and claims of a token."""
    header, claims, _ = token.split(".")
    return json.loads(decode(header)), json.loads(decode(claims))


def unsigned(header: dict, claims: dict) -> str:
    return f"{encode(json.dumps(header).encode())}.{encode(json.dumps(claims).encode())}"


def signed(header: dict, claims: dict, key: Path) -> str:
    """Signs by ES256: openssl writes DER, a token wants r and s, 32 bytes each."""
    text = unsigned(header, claims)
    command = ["openssl", "dgst", "-sha256", "-sign", str(key)]
    der = subprocess.run(command, input=text.encode(), capture_output=True, check=True).stdout
    numbers, rest = [], der[2:]
    for _ in range(2):
        length = rest[1]
        numbers.append(int.from_bytes(rest[2 : 2 + length], "big").to_bytes(32, "big"))
        rest = rest[2 + length :]
    return f"{text}.{encode(b''.join(numbers))}"


def new_key(path: Path) -> Path:
    command = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
    subprocess.run([*command, "-out", str(path)], check=True, capture_output=True)
    return path
