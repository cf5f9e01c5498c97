"""What the package says about mattock.h, compared with it; `header.py mattock.h` exits 0 when all is right."""

import ctypes
import pathlib
import re
import sys

from mattock import card, native

TYPES = {
    "int32_t": ctypes.c_int32, "uint32_t": ctypes.c_uint32, "int64_t": ctypes.c_int64, "uint64_t": ctypes.c_uint64,
    "size_t": ctypes.c_size_t, "char": ctypes.c_char,
}  # fmt: skip


def fields(body):
    """Names and types of a structure's fields."""
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.DOTALL)
    for declaration in filter(None, map(str.strip, body.split(";"))):
        kind, star, name, count = re.fullmatch(r"(.*?)(\*?)(\w+)(?:\[(\d+)\])?", declaration, re.DOTALL).groups()
        base = ctypes.c_void_p if star else TYPES[kind.replace("const", "").strip()]
        yield name, base * int(count) if count else base


def main(path):
    header = pathlib.Path(path).read_text()
    bodies = re.findall(r"typedef struct \w+ \{(.*?)\} (\w+);", header, re.DOTALL)
    found = {name: list(fields(body)) for body, name in bodies}
    for name, structure in native.STRUCTURES.items():
        ours = [(field, kind) for field, kind in structure._fields_]
        assert ours == found[name], f"{name}: {ours}, the header has {found[name]}"
    constants = dict(re.findall(r"#define (MATTOCK_\w+) (\d+)", header))
    for name in ("ROW_MAJOR", "COL_MAJOR", "NO_TRANS", "TRANS", "MASK_COMPLEMENT", "MASK_BY_VALUE", "PRUNE", "ABI_VERSION"):
        assert getattr(native, name) == int(constants[f"MATTOCK_{name}"]), name
    values = {name: int(constants[f"MATTOCK_VALUES_{name.upper()}"]) for name in card._VALUES}
    assert list(values.values()) == list(range(len(values))), values
    calls = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
    calls = dict(re.findall(r"(mattock_\w+)\(([^;]*?)\);", calls, re.DOTALL))
    for name, arguments in native._CALLS.items():
        wanted = calls[name].count(",") + 1
        assert len(arguments) == wanted, f"{name} takes {wanted} arguments, not {len(arguments)}"
    print(f"{len(native.STRUCTURES)} structures, {len(native._CALLS)} calls")


if __name__ == "__main__":
    main(sys.argv[1])
