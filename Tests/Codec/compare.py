#!/usr/bin/env python3
"""Compares our codec with the official Python protobuf package on random messages.

    compare.py [--messages N] [--seed N] [--probe PATH] [--show N]

The probe (`codec-probe`) runs our codec; the schema comes from it as well. Whatever one side accepts
the other must accept with the same meaning, and both must refuse the rest; the exceptions are listed
in `REASONS`. Prints counts by kind and ends with 1 when there is a difference without a reason.
"""

import argparse
import copy
import json
import math
import pathlib
import random
import struct
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

import wire
from documents import Documents
from messages import Messages

ROOT = pathlib.Path(__file__).parents[2]
DESCRIBE, RECODE, PRINT, PARSE, EDGE = range(5)
REFUSED = object()
# These differ from what either side can read back by nothing but their own rules.
SKIPPED = {"oneshot.sample.v1.Options"}


class Probe:
    """Our codec, in a process of its own."""

    def __init__(self, path: pathlib.Path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.reason = ""

    def run(self, operation: int, name: str, payload: bytes):
        head = bytes((operation, len(name))) + name.encode()
        self.process.stdin.write(struct.pack(">I", len(head) + len(payload)) + head + payload)
        self.process.stdin.flush()
        size = self.process.stdout.read(4)
        if len(size) < 4:
            raise SystemExit(f"codec-probe ended on {operation} {name} {payload.hex()}")
        reply = self.process.stdout.read(struct.unpack(">I", size)[0])
        if reply[0] == 0:
            return reply[1:]
        self.reason = reply[1:].decode()
        return REFUSED


class Official:
    """The Python package, with the probe's schema."""

    def __init__(self, files: bytes):
        self.reason = ""
        self.pool = descriptor_pool.DescriptorPool()
        names = []
        for file in descriptor_pb2.FileDescriptorSet.FromString(files).file:
            self.pool.Add(file)
            if file.package in ("oneshot.sample.v1", "google.protobuf") and "descriptor" not in file.name:
                names += [f"{file.package}.{message.name}" for message in file.message_type]
        self.classes = {
            name: message_factory.GetMessageClass(self.pool.FindMessageTypeByName(name))
            for name in names if name not in SKIPPED
        }

    def decode(self, name: str, data: bytes):
        if name not in self.classes:
            return REFUSED
        try:
            return self.classes[name].FromString(data)
        except DecodeError:
            return REFUSED

    def print(self, message):
        try:
            return json.loads(json_format.MessageToJson(message, descriptor_pool=self.pool))
        except (json_format.SerializeToJsonError, ValueError, TypeError, DecodeError):
            return REFUSED

    def parse(self, name: str, text: str):
        try:
            return json_format.Parse(text, self.classes[name](), descriptor_pool=self.pool)
        except (json_format.ParseError, ValueError, TypeError, DecodeError, RecursionError, AttributeError) as error:
            self.reason = f"{type(error).__name__}: {error}"
            return REFUSED


def same(one, other) -> bool:
    """Equality by canonical bytes: NaN equals itself, -0 differs from 0, unknown fields count."""
    if one is REFUSED or other is REFUSED:
        return one is other
    return canonical(one) == canonical(other)


def canonical(message) -> bytes:
    """The message with its maps in order, those inside an Any as well."""
    order_contents(message := copy.deepcopy(message))
    return message.SerializeToString(deterministic=True)


def order_contents(message) -> None:
    for child in children(message):
        order_contents(child)
    if message.DESCRIPTOR.full_name == "google.protobuf.Any":
        content = OFFICIAL.decode(message.type_url.split("/")[-1], message.value)
        if content is not REFUSED:
            message.value = canonical(content)


def children(message):
    """The messages directly inside, those of maps included."""
    for field, value in message.ListFields():
        if not field.message_type:
            continue
        if field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name["value"].message_type:
                yield from (value[key] for key in sorted(value))
        else:
            yield from value if field.is_repeated else (value,)


def holds_map_entry_as_unknown(message) -> bool:
    """Whether an entry of a map is among the unknown fields."""
    maps = {field.number for field in message.DESCRIPTOR.fields
            if field.message_type and field.message_type.GetOptions().map_entry}
    return (any(field.field_number in maps and field.wire_type == 2 for field in UnknownFieldSet(message))
            or any(map(holds_map_entry_as_unknown, children(message))))


def unknown(fields) -> list:
    return [(field.field_number, field.wire_type, unknown(field.data) if field.wire_type == 3 else field.data)
            for field in fields]


def all_unknown(message) -> list:
    return [unknown(UnknownFieldSet(message)), [all_unknown(child) for child in children(message)]]


def same_but_for_spelling(one, other) -> bool:
    """Whether only tags and numbers of unknown fields are written with another count of bytes."""
    if all_unknown(one) != all_unknown(other):
        return False
    one, other = copy.deepcopy(one), copy.deepcopy(other)
    one.DiscardUnknownFields()
    other.DiscardUnknownFields()
    return same(one, other)


@dataclass
class Case:
    """One comparison that did not agree."""

    kind: str
    who: str
    label: str
    detail: str
    theirs: object
    ours: object
    our_reason: str
    their_reason: str


BINARY = ("valid binary", "bare map entries", "unknown fields", "another type", "two merged", "damaged binary")
WRONG_JSON = ("wrong JSON value", "damaged JSON")


def lenient(*texts: str):
    """Python takes what ProtoJSON does not define; ours said one of these."""
    return lambda case: (case.kind in WRONG_JSON and case.who == "only theirs accepts"
                         and any(text in case.our_reason for text in texts))


def python_refuses(text: str):
    """Python refuses for this reason what ProtoJSON allows."""
    return lambda case: REFUSED in (case.theirs, case.ours) and text in case.their_reason


# Why a difference is none.
REASONS = (
    ("upb keeps a map entry that has unknown fields as an unknown field; C++, Java, Go and we take it",
     lambda case: case.who == "meaning" and case.kind in BINARY and holds_map_entry_as_unknown(case.theirs)),
    ("upb keeps tags of unknown fields that are longer than needed; we write them short",
     lambda case: case.who == "meaning" and case.kind in BINARY and same_but_for_spelling(case.theirs, case.ours)),
    ("Python refuses the shortest text of the largest float, which it prints itself",
     python_refuses("Float value too large")),
    ("Python prints a list of NullValue as nulls and refuses them",
     python_refuses("null is not allowed to be used as an element in a repeated field")),
    ("Python decodes base64 with foreign characters and stray bits", lenient("Expected base64.")),
    ("Python reads integers as int() does: signs, spaces, leading zeros, underscores", lenient("Expected an integer")),
    ("Python reads enum numbers as int() does: texts, fractions, booleans, any size",
     lenient("There is no such value.", "Expected an integer from -2147483648", "Expected a name")),
    ("Python takes an empty list or text for an empty message",
     lenient("Expected an object, found an array", "Expected an object, found a string")),
    ("Python takes booleans and texts as float() does for numbers",
     lenient("Expected a number, found a boolean", "Expected a number.")),
    ("Python makes infinity of numbers beyond a double", lenient("out of range.")),
    ("Python reads times that RFC 3339 does not know", lenient("Expected a time such as", "Expected a duration such as")),
    ("Python takes empty paths in a field mask", lenient("Expected field paths in lowerCamelCase")),
    ("upb takes a field of number 0 where a message has no fields",
     lambda case: case.kind in BINARY and case.who == "only theirs accepts"
     and not case.theirs.DESCRIPTOR.fields and "malformed" in case.our_reason),
)


class Comparison:
    """Runs cases and keeps the counts."""

    def __init__(self, probe: Probe, rng: random.Random, show: int):
        self.probe = probe
        self.official = Official(probe.run(DESCRIBE, "", b""))
        global OFFICIAL
        OFFICIAL = self.official
        self.messages = Messages(rng, self.official.classes)
        self.documents = Documents(rng)
        self.rng = rng
        self.show = show
        self.width = 600
        self.counts = Counter()
        self.listed = Counter()
        self.differences = Counter()
        self.names = sorted(self.official.classes)

    def round(self, name: str) -> None:
        message = self.messages.make(name)
        data = message.SerializeToString(deterministic=self.rng.random() < 0.5)
        self.binary("valid binary", name, data)
        self.binary("unknown fields", name, wire.with_unknown_fields(self.rng, data))
        self.binary("another type", self.rng.choice(self.names), data)
        second = self.messages.make(name).SerializeToString()
        self.binary("two merged", name, data + second)
        self.binary("damaged binary", name, wire.damaged(self.rng, data))
        self.printing(name, data)
        bare = wire.with_bare_entries(self.rng, data, message.DESCRIPTOR)
        if bare != data:
            self.binary("bare map entries", name, bare)
            self.printing(name, bare)
        document = self.official.print(message)
        if document is REFUSED:
            return
        self.parsing("valid JSON", name, json.dumps(document))
        self.parsing("JSON with original names", name, self.with_original_names(message))
        respelled = self.documents.respelled(document, message.DESCRIPTOR)
        self.parsing("respelled JSON", name, self.documents.written(respelled))
        wrong, label = self.documents.broken(copy.deepcopy(document))
        self.parsing("wrong JSON value", name, self.documents.written(wrong), label)
        self.parsing("damaged JSON", name, self.documents.damaged(json.dumps(document)))

    def with_original_names(self, message) -> str:
        return json_format.MessageToJson(
            message, preserving_proto_field_name=True, descriptor_pool=self.official.pool)

    def binary(self, kind: str, name: str, data: bytes) -> None:
        theirs = self.official.decode(name, data)
        result = self.probe.run(RECODE, name, data)
        ours = result if result is REFUSED else self.official.decode(name, result)
        self.judge(kind, name, theirs, ours, same(theirs, ours), data.hex())

    def printing(self, name: str, data: bytes) -> None:
        message = self.official.decode(name, data)
        theirs = self.official.print(message)
        text = self.probe.run(PRINT, name, data)
        ours = text if text is REFUSED else self.loads(text)
        self.official.reason = ""
        self.judge("to JSON", name, theirs, ours, equal(theirs, ours), data.hex())
        if ours is REFUSED:
            return
        known = self.official.decode(name, data)
        known.DiscardUnknownFields()
        self.judge("to JSON and back", name, known, back := self.official.parse(name, text.decode()),
                   same(known, back), data.hex())
        result = self.probe.run(EDGE, name, data)
        edge = result if result is REFUSED else self.official.decode(name, result)
        self.judge("to edge JSON and back", name, known, edge, same(known, edge), data.hex())

    @staticmethod
    def loads(text: bytes):
        try:
            return json.loads(text)
        except ValueError:
            return REFUSED

    def parsing(self, kind: str, name: str, text: str, label: str = "") -> None:
        theirs = self.official.parse(name, text)
        result = self.probe.run(PARSE, name, text.encode("utf-8", "surrogatepass"))
        ours = result if result is REFUSED else self.official.decode(name, result)
        self.judge(kind, name, theirs, ours, same(theirs, ours), text, label)

    def judge(self, kind, name, theirs, ours, agrees, detail, label="") -> None:
        outcome = "both refuse" if theirs is REFUSED and ours is REFUSED else "agree"
        if agrees:
            self.counts[kind, outcome] += 1
            return
        who = "only theirs accepts" if ours is REFUSED else "only ours accepts" if theirs is REFUSED else "meaning"
        case = Case(kind, who, label, detail, theirs, ours, self.probe.reason, self.official.reason)
        reason = next((why for why, test in REASONS if test(case)), None)
        if reason:
            self.counts[kind, "listed"] += 1
            self.listed[reason] += 1
            return
        self.counts[kind, "DIFFER"] += 1
        self.differences[kind, who, label] += 1
        if self.differences[kind, who, label] <= self.show:
            print(f"DIFFER {kind}: {who} {label}\n  {name}\n  {detail[:self.width]!r}")
            print(f"  theirs: {self.official.reason if theirs is REFUSED else str(theirs)[:self.width]!r}")
            print(f"  ours:   {self.probe.reason if ours is REFUSED else str(ours)[:self.width]!r}")

    def print_counts(self) -> None:
        columns = ("agree", "both refuse", "listed", "DIFFER")
        print(f"{'kind':28}" + "".join(f"{column:>13}" for column in columns))
        for kind in sorted({kind for kind, _ in self.counts}):
            print(f"{kind:28}" + "".join(f"{self.counts[kind, column]:13}" for column in columns))
        total = [sum(count for (_, outcome), count in self.counts.items() if outcome == column) for column in columns]
        print(f"{'all':28}" + "".join(f"{count:13}" for count in total))
        for reason, count in self.listed.most_common():
            print(f"listed {count:6}: {reason}")
        for key, count in self.differences.most_common(30):
            print(f"DIFFER {count:6}: {key}")


def equal(one, other) -> bool:
    """Equality of parsed JSON: -0 differs from 0, true from 1."""
    if type(one) is not type(other) and not {type(one), type(other)} <= {int, float}:
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, float) or isinstance(other, float):
        # A float has several shortest texts; the way back compares all bits.
        return one == other and math.copysign(1, one) == math.copysign(1, other) or single(one) == single(other)
    return one == other


def single(value: float) -> bytes:
    try:
        return struct.pack("f", value)
    except OverflowError:
        return struct.pack("d", value)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    arguments.add_argument("--messages", type=int, default=2000)
    arguments.add_argument("--seed", type=int, default=20261121)
    arguments.add_argument("--probe", type=pathlib.Path, default=ROOT / ".build/release/codec-probe")
    arguments.add_argument("--show", type=int, default=1)
    options = arguments.parse_args()
    began = time.monotonic()
    comparison = Comparison(Probe(options.probe), random.Random(options.seed), options.show)
    for index in range(options.messages):
        comparison.round(comparison.names[index % len(comparison.names)])
    comparison.print_counts()
    cases = sum(comparison.counts.values())
    print(f"{options.messages} messages of {len(comparison.names)} types, {cases} cases, seed {options.seed}, "
          f"{time.monotonic() - began:.1f} s")
    sys.exit(1 if comparison.differences else 0)


if __name__ == "__main__":
    main()
