#!/usr/bin/env python3
"""Number formats as outside libraries see them.

Writes hw/spec/tests/data/formats.txt from ml_dtypes, gfloat and numpy:

    python testbench/oracles/formats.py            # write the file
    python testbench/oracles/formats.py --check    # fail when it would change

Needs: pip install ml_dtypes==0.6.0 gfloat==0.5.2 numpy

The Rust test hw/spec/tests/formats_against_oracles.rs compares our own codecs with every line.
Where two libraries answer the same question this script requires that they agree.
"""

import argparse
import math
import pathlib
import random
import struct
import sys

import gfloat
import gfloat.formats as gf
import ml_dtypes
import numpy as np

FILE = pathlib.Path(__file__).parents[2] / "hw/spec/tests/data/formats.txt"

# our name: (gfloat's description, a numpy dtype of the same format)
FLOATS = {
    "e2m1": (gf.format_info_ocp_e2m1, ml_dtypes.float4_e2m1fn),
    "e2m3": (gf.format_info_ocp_e2m3, ml_dtypes.float6_e2m3fn),
    "e3m2": (gf.format_info_ocp_e3m2, ml_dtypes.float6_e3m2fn),
    "e4m3": (gf.format_info_ocp_e4m3, ml_dtypes.float8_e4m3fn),
    "e5m2": (gf.format_info_ocp_e5m2, ml_dtypes.float8_e5m2),
    "f16": (gf.format_info_binary16, np.float16),
    "bf16": (gf.format_info_bfloat16, ml_dtypes.bfloat16),
    "f32": (gf.format_info_binary32, np.float32),
}
INTEGERS = {
    "i2": ml_dtypes.int2,
    "i4": ml_dtypes.int4,
    "i8": np.int8,
    "i16": np.int16,
    "u2": ml_dtypes.uint2,
    "u4": ml_dtypes.uint4,
    "u8": np.uint8,
    "u16": np.uint16,
}
MODES = [
    gfloat.RoundMode.TiesToEven,
    gfloat.RoundMode.TowardZero,
    gfloat.RoundMode.TowardPositive,
    gfloat.RoundMode.TowardNegative,
    gfloat.RoundMode.TiesToAway,
]


def bits_of(value):
    """The 16 hexadecimal digits of a double; NaN has one spelling."""
    return "nan" if math.isnan(value) else struct.pack(">d", value).hex()


def unsigned(width):
    return {1: np.uint8, 2: np.uint16, 4: np.uint32}[width]


def numpy_code(value, dtype):
    return int(np.array([value], np.float64).astype(dtype).view(unsigned(np.dtype(dtype).itemsize))[0])


def numpy_value(code, dtype):
    raw = np.array([code], unsigned(np.dtype(dtype).itemsize))
    with np.errstate(invalid="ignore"):  # signalling NaNs are meant to be converted
        return float(raw.view(dtype).astype(np.float64)[0])


def codes_to_decode(info):
    """Every code up to 8 bits; a stride through the wider formats, and their ends."""
    if info.bits <= 8:
        return list(range(1 << info.bits))
    stride = {16: 1009, 32: 32_452_843}[info.bits]
    top = 1 << info.bits
    exponent = ((1 << info.expBits) - 1) << info.tSignificandBits
    return sorted({*range(0, top, stride), 1, top // 2, top - 1, exponent, exponent - 1, exponent + 1})


def inputs(name, info):
    """Doubles where rounding is decided: each midpoint and its neighbours, ends, specials."""
    values = {0.0, math.inf, math.nan, 465.0, 464.0, 1e-300, 5e-324, 1e300, math.pi}
    if info.bits <= 8:
        codes = range(1 << (info.bits - 1))
    else:
        pick = random.Random(name)
        codes = [pick.randrange(1 << (info.bits - 1)) for _ in range(60)] + [0, 1, 2]
        smallest_normal = 1 << info.tSignificandBits
        largest = (((1 << info.expBits) - 1) << info.tSignificandBits) - 1
        codes += [smallest_normal - 1, smallest_normal, largest - 1, largest]
    for code in codes:
        low = gfloat.decode_float(info, code).fval
        high = gfloat.decode_float(info, code + 1).fval
        if not math.isfinite(low):
            continue
        if not math.isfinite(high):  # the step past the largest number
            high = low + (low - gfloat.decode_float(info, code - 1).fval)
        middle = (low + high) / 2
        values |= {low, middle}
        if info.bits <= 16:  # neighbours that ml_dtypes can answer for
            single = np.float32(middle)
            values |= {float(np.nextafter(single, np.float32(0))), float(np.nextafter(single, np.float32(np.inf)))}
        if info.bits > 16 or code % 8 == 0:
            values |= {math.nextafter(middle, 0), math.nextafter(middle, math.inf)}
    numbers = [v for v in values if not math.isnan(v)]
    return sorted(numbers + [-v for v in numbers], key=lambda v: (v, math.copysign(1, v))) + [math.nan]


def rounds_once(value, dtype):
    """ml_dtypes goes through float32, so a double that float32 rounds is rounded twice."""
    return dtype in (np.float16, np.float32) or math.isnan(value) or float(np.float32(value)) == value


def gfloat_code(info, value, mode, saturate):
    """gfloat's answer; None when the format cannot hold the value.

    None also where gfloat 0.5.2 rounds the fraction itself: its ties-away test adds 0.5 to a fraction
    below one in double arithmetic, so 0.5 - 2**-54 of the smallest subnormal counts as a tie.
    """
    if mode is gfloat.RoundMode.TiesToAway and abs(value) < info.smallest and float(np.float32(value)) != value:
        return None
    try:
        return gfloat.encode_float(info, gfloat.round_float(info, value, mode, saturate))
    except ValueError:
        return None


def agreed(name, info, value, first, second):
    """Two codes are the same, or both NaN."""
    both_nan = all(math.isnan(gfloat.decode_float(info, code).fval) for code in (first, second))
    if first != second and not both_nan:
        sys.exit(f"{name}: the libraries disagree on {value!r}: {first:#x} and {second:#x}")


def lines():
    yield "# Written by testbench/oracles/formats.py from ml_dtypes 0.6.0, gfloat 0.5.2 and numpy; do not edit."
    yield "# d FORMAT CODE VALUE: decoding; VALUE is the bits of a double or an integer."
    yield "# e FORMAT INPUT RNE RZ RU RD RNA, then the same five saturating; - is no answer."
    for name, dtype in INTEGERS.items():
        width = int(name[1:])
        for code in range(0, 1 << width, 1 if width <= 8 else 251):
            raw = np.array([code], unsigned(max(1, width // 8)))
            yield f"d {name} {code:x} {int(raw.view(dtype).astype(np.int64)[0])}"
    for name, (info, dtype) in FLOATS.items():
        for code in codes_to_decode(info):
            value = gfloat.decode_float(info, code).fval
            if bits_of(value) != bits_of(numpy_value(code, dtype)):
                sys.exit(f"{name}: the libraries disagree on code {code:#x}")
            yield f"d {name} {code:x} {bits_of(value)}"
        with np.errstate(over="ignore"):
            for value in inputs(name, info):
                codes = []
                for saturate in (False, True):
                    for mode in MODES:
                        code = gfloat_code(info, value, mode, saturate)
                        if mode is gfloat.RoundMode.TiesToEven and not saturate and rounds_once(value, dtype):
                            other = numpy_code(value, dtype)
                            if code is not None:
                                agreed(name, info, value, code, other)
                            elif not math.isnan(value):
                                code = other
                        codes.append("-" if code is None else f"{code:x}")
                yield f"e {name} {bits_of(value)} {' '.join(codes)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail when the file would change")
    options = parser.parse_args()
    text = "\n".join(lines()) + "\n"
    if not options.check:
        FILE.parent.mkdir(parents=True, exist_ok=True)
        FILE.write_text(text)
        print(f"wrote {FILE}: {text.count(chr(10))} lines, {len(text)} bytes")
    elif not FILE.exists() or FILE.read_text() != text:
        sys.exit(f"{FILE} is stale; run {sys.argv[0]}")


if __name__ == "__main__":
    main()
