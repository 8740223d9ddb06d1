"""Random messages of any type, edge values more often than not."""

import math
import random
import struct

from google.protobuf.descriptor import FieldDescriptor as F

TEXTS = ("", "a", "héllo", "日本語", "\x00", "a\x00b", "🙂" * 3, "x" * 200, '"\\/\b\f\n\r\t\x1f\x7f\u2028', "null", "-0")
WORDS = ("", "a", "foo", "foo_bar", "foo.bar_baz", "a1_b2", "x" * 40)
MAX_DEPTH = 4

INTEGERS = {
    F.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    F.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    F.CPPTYPE_UINT32: (0, 2**32 - 1),
    F.CPPTYPE_UINT64: (0, 2**64 - 1),
}


class Messages:
    """Makes messages from one seed."""

    def __init__(self, rng: random.Random, classes: dict):
        self.rng = rng
        self.classes = classes

    def make(self, name: str):
        message = self.classes[name]()
        self.fill(message, 0)
        return message

    def scalar(self, field):
        rng = self.rng
        kind = field.cpp_type
        if kind in INTEGERS:
            low, high = INTEGERS[kind]
            edges = [0, 1, low, high, 127, 128, 16383, 16384, 2**31 - 1, high // 2, low // 2 + 1]
            return rng.choice(edges) if rng.random() < 0.7 else rng.randint(low, high) >> rng.randrange(64)
        if kind == F.CPPTYPE_DOUBLE:
            return rng.choice((0.0, -0.0, 1.5, -1e300, 5e-324, 0.1, 1e15, 2.0**53, 1e21, 1e-7, math.inf,
                               -math.inf, math.nan, rng.gauss(0, 1e6), self.bits("d", 8)))
        if kind == F.CPPTYPE_FLOAT:
            if rng.random() < 0.002:
                return 3.4028234663852886e38
            return rng.choice((0.0, -0.0, 1.5, 3.3999999521443642e38, 1e-45, math.inf, -math.inf,
                               math.nan, 16777216.0, 0.1, self.bits("f", 4)))
        if kind == F.CPPTYPE_BOOL:
            return rng.random() < 0.6
        if kind == F.CPPTYPE_ENUM:
            if field.enum_type.name == "NullValue":
                return 0
            declared = [value.number for value in field.enum_type.values]
            return rng.choice(declared + [77, -5, 2**31 - 1, -(2**31)])
        if field.type == F.TYPE_BYTES:
            return rng.randbytes(rng.choice((0, 1, 2, 3, 5, 300)))
        return rng.choice(TEXTS)

    def bits(self, form: str, size: int) -> float:
        value = struct.unpack(form, self.rng.randbytes(size))[0]
        return math.nan if math.isnan(value) else value

    def fill(self, message, depth: int) -> None:
        special = getattr(self, "fill_" + message.DESCRIPTOR.name, None)
        if message.DESCRIPTOR.file.package == "google.protobuf" and special:
            special(message, depth)
            return
        fields = message.DESCRIPTOR.fields
        share = 0.7 if len(fields) < 20 else 0.25
        for field in fields:
            if self.rng.random() < share:
                self.fill_field(message, field, depth)

    def fill_field(self, message, field, depth: int) -> None:
        rng = self.rng
        if field.message_type and field.message_type.GetOptions().map_entry:
            self.fill_map(getattr(message, field.name), field, depth)
        elif field.is_repeated:
            values = getattr(message, field.name)
            for _ in range(rng.choice((0, 1, 2, 3, 20 if depth < 2 else 2))):
                if not field.message_type:
                    values.append(self.scalar(field))
                elif depth < MAX_DEPTH:
                    self.fill(values.add(), depth + 1)
        elif field.message_type:
            if depth < MAX_DEPTH:
                child = getattr(message, field.name)
                child.SetInParent()
                self.fill(child, depth + 1)
        else:
            setattr(message, field.name, self.scalar(field))

    def fill_map(self, values, field, depth: int) -> None:
        key, value = (field.message_type.fields_by_name[name] for name in ("key", "value"))
        for _ in range(self.rng.choice((0, 1, 2, 5))):
            if not value.message_type:
                values[self.scalar(key)] = self.scalar(value)
            elif depth < MAX_DEPTH:
                self.fill(values[self.scalar(key)], depth + 1)

    # Well-known types: mostly what JSON can say, now and then what it cannot.

    def fill_Timestamp(self, message, _depth) -> None:
        rng = self.rng
        message.seconds = rng.choice((0, -1, -62135596800, 253402300799, rng.randint(-62135596800, 253402300799),
                                      rng.randint(0, 2**33), 951782400, 4107542400))
        message.nanos = rng.choice((0, 1, 10**6, 123 * 10**3, 999_999_999, 500_000_000, rng.randrange(10**9)))
        if rng.random() < 0.02:
            message.seconds, message.nanos = rng.choice(((-62135596801, 0), (253402300800, 0), (0, -1), (0, 10**9)))

    def fill_Duration(self, message, _depth) -> None:
        rng = self.rng
        sign = rng.choice((-1, 1))
        message.seconds = sign * rng.choice((0, 1, 315576000000 - 1, rng.randrange(10**6)))
        message.nanos = sign * rng.choice((0, 1, 10**6, 999_999_999, rng.randrange(10**9)))
        if rng.random() < 0.02:
            message.seconds, message.nanos = rng.choice(((315576000001, 0), (1, -1), (-1, 1), (0, 10**9)))

    def fill_FieldMask(self, message, _depth) -> None:
        message.paths.extend(self.rng.choice(WORDS[1:]) for _ in range(self.rng.randrange(4)))
        if self.rng.random() < 0.02:
            message.paths.append(self.rng.choice(("fooBar", "foo_3", "foo__bar", "foo_")))

    def fill_Struct(self, message, depth: int) -> None:
        for _ in range(self.rng.randrange(3) if depth < MAX_DEPTH else 0):
            self.fill_Value(message.fields[self.rng.choice(TEXTS)], depth + 1)

    def fill_ListValue(self, message, depth: int) -> None:
        for _ in range(self.rng.randrange(4) if depth < MAX_DEPTH else 0):
            self.fill_Value(message.values.add(), depth + 1)

    def fill_Value(self, message, depth: int) -> None:
        kind = self.rng.randrange(6 if depth < MAX_DEPTH else 4)
        if kind == 0:
            message.null_value = 0
        elif kind == 1:
            message.number_value = self.rng.choice((0.0, -0.0, 1.5, 1e100, -3.0, 2.0**60, 0.1))
        elif kind == 2:
            message.string_value = self.rng.choice(TEXTS)
        elif kind == 3:
            message.bool_value = self.rng.random() < 0.5
        elif kind == 4:
            message.struct_value.SetInParent()
            self.fill_Struct(message.struct_value, depth + 1)
        else:
            message.list_value.SetInParent()
            self.fill_ListValue(message.list_value, depth + 1)
        if self.rng.random() < 0.01:
            message.number_value = self.rng.choice((math.inf, math.nan))

    def fill_Any(self, message, depth: int) -> None:
        if depth >= MAX_DEPTH or self.rng.random() < 0.05:
            return
        inner = self.classes[self.rng.choice(sorted(self.classes))]()
        if inner.DESCRIPTOR.full_name != "google.protobuf.Any":
            self.fill(inner, depth + 1)
        message.Pack(inner, deterministic=True)
