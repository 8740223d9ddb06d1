"""Small pictures made by hand, good and bad."""

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, rows: int | None = None) -> bytes:
    """A grey RGB picture; `rows` fewer than its height make a header that promises too much."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    line = b"\x00" + b"\x80" * (3 * width)
    data = zlib.compress(line * (height if rows is None else rows), 9)
    return SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def size(data: bytes) -> tuple[int, int]:
    """Width and height of a PNG picture."""
    assert data.startswith(SIGNATURE), data[:16]
    return struct.unpack(">II", data[16:24])
