"""Writes presigned_urls.json: addresses that botocore signs, for our signer's test to equal.

Run again after a change: python3 make_presigned_urls.py > presigned_urls.json (botocore 1.43).
The keys are made from a fixed seed, the clock is fixed, the credentials are made up.
"""

import datetime
import json
import random
import sys

import botocore.auth
import botocore.session
from botocore.config import Config

MOMENT = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
ACCESS_KEY = "FIXTUREACCESSKEY"
SECRET_KEY = "the/fixture+has=no secret"
BUCKET = "examplebucket"
PLACES = [
    ("https://s3.us-east-1.amazonaws.com", "us-east-1"),
    ("http://localhost:9000", "eu-central-1"),
    ("https://0123456789abcdef0123456789abcdef.r2.cloudflarestorage.com", "auto"),
]
FIXED_KEYS = [
    "a", "a/b/c.png", "a b+c%d.png", "jobs/a b+ü.png", "//", "a//b", "a/../b", "..", "a/./b",
    "%2F", "%25", "100%", "+", "a+b", " ", " a", "a ", "a?b", "a#b", "a&b=c", "a;b", "a:b", "a@b",
    "ключ/файл.png", "鍵.jpg", "🙂/😀.webp", "é", "e\u0301", "~tilde", "a'b", 'a"b', "(a)!*", "$,=",
    "[a]{b}|^`<>", "a\\b", "a\tb", "-._~", "trailing/", "/leading", "\u00a0", "ﬁ", "\u200b",
]
ALPHABET = "abcXYZ019 -._~+%/?#&=;:@!$'()*,[]{}|^`<>\"\\üß€Ж漢🙂"


def keys():
    generator = random.Random(20260101)
    result = list(FIXED_KEYS)
    while len(result) < 200:
        length = generator.randint(1, 40)
        result.append("".join(generator.choice(ALPHABET) for _ in range(length)))
    return result


def client(endpoint, region):
    session = botocore.session.Session()
    session.set_credentials(ACCESS_KEY, SECRET_KEY)
    return session.create_client(
        "s3", region_name=region, endpoint_url=endpoint,
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}))


def vector(number, key, clients):
    endpoint, region = PLACES[number % len(PLACES)]
    parameters = {"Bucket": BUCKET, "Key": key}
    content_type = None
    operation = ["put_object", "get_object", "head_object", "delete_object"][number % 4]
    if operation == "put_object" and number % 8 == 0:
        content_type = parameters["ContentType"] = "image/png"
    if operation == "get_object" and number % 8 == 1:
        content_type = parameters["ResponseContentType"] = "image/jpeg; a=b c"
    expires = [1, 900, 3600, 604800][number // 4 % 4]
    url = clients[endpoint].generate_presigned_url(operation, Params=parameters, ExpiresIn=expires)
    return {
        "method": operation.split("_")[0].upper(), "endpoint": endpoint, "region": region,
        "bucket": BUCKET, "key": key, "content_type": content_type, "expires": expires, "url": url,
    }


botocore.auth.get_current_datetime = lambda *_, **__: MOMENT
clients = {endpoint: client(endpoint, region) for endpoint, region in PLACES}
document = {
    "unix_seconds": int(MOMENT.timestamp()), "access_key": ACCESS_KEY, "secret_key": SECRET_KEY,
    "vectors": [vector(number, key, clients) for number, key in enumerate(keys())],
}
json.dump(document, sys.stdout, ensure_ascii=True, indent=1)
print()
