"""Encoded messages made larger, wrong or strange."""

import random


def varint(value: int) -> bytes:
    output = bytearray()
    while value > 0x7F:
        output.append(value & 0x7F | 0x80)
        value >>= 7
    output.append(value)
    return bytes(output)


def unknown_field(rng: random.Random, depth: int = 0) -> bytes:
    """A field of any number and wire type, whole groups included."""
    number = rng.choice((1, 2, 16, 19, 100, 2048, 2**29 - 1, rng.randrange(1, 2**29)))
    kind = rng.choice((0, 1, 2, 5, 3) if depth < 3 else (0, 1, 2, 5))
    tag = varint(number << 3 | kind)
    if kind == 0:
        return tag + varint(rng.choice((0, 1, 300, 2**63, 2**64 - 1)))
    if kind == 1:
        return tag + rng.randbytes(8)
    if kind == 5:
        return tag + rng.randbytes(4)
    if kind == 2:
        data = rng.choice((b"", b"ab", b"\x08\x01", rng.randbytes(20)))
        return tag + varint(len(data)) + data
    inner = b"".join(unknown_field(rng, depth + 1) for _ in range(rng.randrange(3)))
    return tag + inner + varint(number << 3 | 4)


def boundaries(data: bytes) -> list[int]:
    """Offsets between the top-level fields of a valid message without groups."""
    places, index = [0], 0
    while index < len(data):
        tag, index = read_varint(data, index)
        if tag & 7 == 0:
            _, index = read_varint(data, index)
        elif tag & 7 == 2:
            length, index = read_varint(data, index)
            index += length
        else:
            index += 8 if tag & 7 == 1 else 4
        places.append(index)
    return places


def read_varint(data: bytes, index: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[index]
        value |= (byte & 0x7F) << shift
        index, shift = index + 1, shift + 7
        if byte < 0x80:
            return value, index


def with_unknown_fields(rng: random.Random, data: bytes) -> bytes:
    places = boundaries(data)
    for place in sorted((rng.choice(places) for _ in range(rng.randrange(1, 4))), reverse=True):
        data = data[:place] + unknown_field(rng) + data[place:]
    return data


def with_bare_entries(rng: random.Random, data: bytes, descriptor) -> bytes:
    """The message with map entries that have neither key nor value."""
    for field in descriptor.fields:
        entry = field.message_type
        if not entry or not entry.GetOptions().map_entry or rng.random() < 0.5:
            continue
        value = entry.fields_by_name["value"].message_type
        # What a dynamic value without a kind is in JSON is nobody's rule.
        if not value or value.full_name != "google.protobuf.Value":
            data += varint(field.number << 3 | 2) + b"\x00"
    return data


def damaged(rng: random.Random, data: bytes) -> bytes:
    """Cut off, changed, or with bytes put in."""
    data = bytearray(data or b"\x08\x01")
    for _ in range(rng.choice((1, 1, 2, 3))):
        index = rng.randrange(len(data))
        kind = rng.randrange(5)
        if kind == 0:
            data[index] = rng.randrange(256)
        elif kind == 1:
            data[index] ^= 1 << rng.randrange(8)
        elif kind == 2:
            del data[index + 1:]
        elif kind == 3:
            data[index:index] = rng.randbytes(rng.randrange(1, 4))
        else:
            data[index:index] = b"\xff" * rng.randrange(1, 11)
    return bytes(data)
