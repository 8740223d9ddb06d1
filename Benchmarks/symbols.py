"""Names of the functions that a process runs: its memory map, and the symbols of the ELF files in it."""

import bisect
import dataclasses
import pathlib
import struct

PT_LOAD, PF_X = 1, 1
SHT_SYMTAB, SHT_DYNSYM = 2, 11
STT_FUNC, STT_GNU_IFUNC = 2, 10
STB_LOCAL = 0
PAGE = 4096


@dataclasses.dataclass(frozen=True)
class Function:
    """Code between two addresses of a process (of the file's own, inside `Image`)."""

    name: str
    start: int
    end: int
    image: str


class Image:
    """The functions of one file, by the addresses that the linker gave them."""

    def __init__(self, path: pathlib.Path) -> None:
        self.name = path.name
        self.data = path.read_bytes()
        if self.data[:6] != b"\x7fELF\x02\x01":
            raise SystemExit(f"error: {path} is not a 64-bit little-endian ELF file")
        programs, sections = struct.unpack_from("<QQ", self.data, 0x20)
        program_size, program_count, section_size, section_count, names = struct.unpack_from("<5H", self.data, 0x36)
        self.segments = []
        for index in range(program_count):
            place = programs + index * program_size
            kind, flags, offset, address, _, size = struct.unpack_from("<IIQQQQ", self.data, place)
            if kind == PT_LOAD and flags & PF_X:
                self.segments.append((offset, address, size))
        self.sections = [
            struct.unpack_from("<IIQQQQIIQQ", self.data, sections + index * section_size)
            for index in range(section_count)
        ]
        self.addresses: dict[str, int] = {}
        self.functions = self.sorted_functions(names)
        self.starts = [function.start for function in self.functions]

    def text(self, section: int, offset: int) -> str:
        start = self.sections[section][4] + offset
        return self.data[start : self.data.index(b"\0", start)].decode(errors="replace")

    def sorted_functions(self, names: int) -> list[Function]:
        best: dict[int, tuple] = {}
        for title, kind, _, address, offset, size, link, *_ in self.sections:
            if self.text(names, title).startswith(".plt"):
                best[address] = (0, 0, "[plt]", size)
            if kind not in (SHT_SYMTAB, SHT_DYNSYM):
                continue
            symbols = struct.iter_unpack("<IBBHQQ", self.data[offset : offset + size])
            for name, info, _other, section, value, length in symbols:
                if section == 0 or info & 15 not in (STT_FUNC, STT_GNU_IFUNC):
                    continue
                text = self.text(link, name)
                self.addresses.setdefault(text, value)
                # Of several names the public and short one.
                rank = (info >> 4 == STB_LOCAL, len(text), text, length)
                best[value] = min(rank, best.get(value, rank))
        starts = sorted(best)
        ends = [*starts[1:], 1 << 63]
        return [
            # Hand-written code may have no size: it goes on to the next function.
            Function(best[start][2], start, start + best[start][3] if best[start][3] else end, self.name)
            for start, end in zip(starts, ends)
        ]

    def function(self, address: int) -> Function:
        index = bisect.bisect(self.starts, address) - 1
        if index < 0:
            return Function("(before all symbols)", 0, self.starts[0] if self.starts else 1 << 63, self.name)
        function = self.functions[index]
        if address < function.end:
            return function
        # A stripped library names only what it exports; what lies between is told apart at least.
        end = self.starts[index + 1] if index + 1 < len(self.starts) else 1 << 63
        return Function(f"(after {function.name})", function.end, end, self.name)

    def address_of(self, offset: int) -> int:
        """The linker's address of a byte of code, or of the beginning of its page."""
        for start, address, size in self.segments:
            if start & -PAGE <= offset < start + size:
                return offset - start + address
        return offset


class Code:
    """The executable memory of a process, as it is mapped now."""

    images: dict[str, Image] = {}

    def __init__(self, pid: int) -> None:
        self.ranges: list[tuple[int, int, str, int]] = []
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
            addresses, rights, offset, _device, _inode, *path = line.split(maxsplit=5)
            if "x" in rights:
                start, end = (int(part, 16) for part in addresses.split("-"))
                self.ranges.append((start, end, path[0] if path else "[anonymous]", int(offset, 16)))
        self.known: dict[int, Function] = {}

    @classmethod
    def image(cls, path: str) -> Image:
        if path not in cls.images:
            cls.images[path] = Image(pathlib.Path(path))
        return cls.images[path]

    def function(self, address: int) -> Function:
        """The function of an instruction."""
        if address not in self.known:
            self.known[address] = self.found(address)
        return self.known[address]

    def found(self, address: int) -> Function:
        for start, end, path, offset in self.ranges:
            if start <= address < end:
                if not path.startswith("/"):
                    return Function(path, start, end, path)
                image = self.image(path)
                own = image.address_of(address - start + offset)
                function = image.function(own)
                shift = address - own
                return Function(function.name, function.start + shift, function.end + shift, function.image)
        return Function("(not mapped)", address, address + 1, "?")

    def addresses(self, name: str) -> set[int]:
        """Where the functions of that name begin."""
        result = set()
        for start, end, path, offset in self.ranges:
            if path.startswith("/") and name in self.image(path).addresses:
                image = self.image(path)
                address = image.addresses[name] - image.address_of(offset) + start
                if start <= address < end:
                    result.add(address)
        return result
