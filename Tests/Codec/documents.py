"""JSON documents of messages, spelled in other ways or made wrong."""

import base64
import json
import random

from google.protobuf.descriptor import FieldDescriptor as F

LONG = (F.TYPE_INT64, F.TYPE_UINT64, F.TYPE_FIXED64, F.TYPE_SFIXED64, F.TYPE_SINT64)
SHORT = (F.TYPE_INT32, F.TYPE_UINT32, F.TYPE_FIXED32, F.TYPE_SFIXED32, F.TYPE_SINT32)
REAL = (F.TYPE_DOUBLE, F.TYPE_FLOAT)

# What a value may not be, whatever its field; each with the name that a difference is listed under.
WRONG = (
    ("a boolean", True), ("a number", 1), ("a negative number", -1), ("a fraction", 0.5), ("text", "text"),
    ("an empty string", ""), ("a list", []), ("an object", {}), ("null", None), ("2^31", 2**31), ("2^32", 2**32),
    ("2^63", 2**63), ("2^64", 2**64), ("-2^63-1", -(2**63) - 1), ("1e400", "RAW:1e400"), ("1e39", "RAW:1e39"),
    ("NaN", "NaN"), ("Infinity", "Infinity"), ("-Infinity", "-Infinity"), ("-0", "RAW:-0"), ("-0.0", "RAW:-0.0"),
    ("1e2", "RAW:1e2"), ("1.0", "RAW:1.0"), ("text of a number", "12"), ("text with space", " 1"),
    ("text 1e2", "1e2"), ("text 1.0", "1.0"), ("text -0", "-0"), ("text +1", "+1"), ("text 0x1", "0x1"),
    ("text 01", "01"), ("nested nulls", [None]), ("object with null", {"a": None}), ("bad base64", "a"),
    ("base64 bits", "ab"), ("base64url", "-_-_"), ("time", "2020-02-30T00:00:00Z"),
    ("time with offset", "1972-01-01T10:00:20.021+01:00"), ("lower-case time", "1972-01-01t10:00:20z"),
    ("time of 10 digits", "1972-01-01T10:00:20.0000000001Z"), ("time without zone", "1972-01-01T10:00:20"),
    ("duration", "-1.5s"), ("duration without s", "1.5"), ("duration too long", "315576000001s"),
    ("mask", "fooBar,baz"), ("mask with _", "foo_bar"), ("any without type", {"value": 1}),
    ("any of unknown type", {"@type": "x.y/none.Such"}),
)


class Documents:
    """Respells and breaks documents from one seed."""

    def __init__(self, rng: random.Random):
        self.rng = rng

    def respelled(self, document, descriptor):
        """The same document in other words; `descriptor` is its message type."""
        if descriptor.file.package == "google.protobuf" or not isinstance(document, dict):
            return document
        fields = {field.json_name: field for field in descriptor.fields}
        output = {}
        for name, value in document.items():
            field = fields[name]
            key = field.name if self.rng.random() < 0.5 else name
            output[key] = self.respelled_field(value, field)
        if self.rng.random() < 0.2:
            for field in descriptor.fields:
                absent = field.json_name not in output and field.name not in output
                if absent and self.takes_null(field) and self.rng.random() < 0.3:
                    output[field.name] = None
        return self.shuffled(output)

    def takes_null(self, field) -> bool:
        special = field.message_type and field.message_type.full_name == "google.protobuf.Value"
        return not special and not field.enum_type and not field.containing_oneof

    def shuffled(self, document: dict) -> dict:
        items = list(document.items())
        self.rng.shuffle(items)
        return dict(items)

    def respelled_field(self, value, field):
        if field.message_type and field.message_type.GetOptions().map_entry:
            entry = field.message_type.fields_by_name["value"]
            return {key: self.respelled_value(item, entry) for key, item in value.items()}
        if field.is_repeated:
            return [self.respelled_value(item, field) for item in value]
        return self.respelled_value(value, field)

    def respelled_value(self, value, field):
        rng = self.rng
        if field.message_type:
            return self.respelled(value, field.message_type)
        if field.type in LONG and rng.random() < 0.5:
            return int(value)
        if field.type in SHORT:
            return rng.choice((value, value, str(value), float(value)))
        if field.type in REAL and not isinstance(value, str) and rng.random() < 0.2:
            return repr(float(value))
        if field.type == F.TYPE_ENUM and isinstance(value, str) and rng.random() < 0.5:
            return field.enum_type.values_by_name[value].number
        if field.type == F.TYPE_BYTES and rng.random() < 0.5:
            data = base64.b64decode(value)
            return base64.urlsafe_b64encode(data).decode().rstrip(rng.choice(("=", "")))
        return value

    def written(self, document) -> str:
        """Text with spaces, escapes and numbers as they come."""
        text = json.dumps(
            document, ensure_ascii=self.rng.random() < 0.5, indent=self.rng.choice((None, None, 1)),
            separators=self.rng.choice((None, (",", ":"), (" , ", " : "))),
        )
        return raw(text)

    def broken(self, document, path=""):
        """The document with one value replaced; returns also the name of the replacement."""
        label, wrong = self.rng.choice(WRONG)
        places = list(self.places(document))
        if not places:
            return wrong, label
        holder, key = self.rng.choice(places)
        holder[key] = wrong
        return document, label

    def places(self, value):
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, item in items:
            yield value, key
            yield from self.places(item)

    def damaged(self, text: str) -> str:
        """The text with a few characters changed."""
        characters = list(text or "{}")
        for _ in range(self.rng.choice((1, 1, 2, 4))):
            index = self.rng.randrange(len(characters))
            kind = self.rng.randrange(4)
            if kind == 0:
                characters[index] = self.rng.choice('{}[]",:\\ \x00\x1f0-1.eEtfn\u00e9')
            elif kind == 1:
                del characters[index]
                characters = characters or ["{"]
            elif kind == 2:
                characters.insert(index, self.rng.choice('{}[]",:\\ 0-1.eE+'))
            else:
                characters = characters[: index + 1]
        return "".join(characters)


def raw(text: str) -> str:
    """Opens the numbers that Python's writer would not write."""
    for word in ("1e400", "1e39", "-0.0", "-0", "1e2", "1.0"):
        text = text.replace(f'"RAW:{word}"', word)
    return text
