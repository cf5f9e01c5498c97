#!/usr/bin/env python3
"""Judges the dense reference model with libraries it did not write.

    python testbench/oracles/numerics.py FOLDER

FOLDER holds jobs.jsonl, one job a line, and the operands and results the model computed
(testbench/tests/numerics writes them). Prints one line of JSON per job:
{"suite", "judge", "pair", "modes", "dots", "mismatches", "first"}.

Nothing here comes from the model: values are decoded by ml_dtypes and gfloat, sums are formed in
Python's and numpy's integers, rounded by numpy, ml_dtypes and gfloat; whole quantised products come from
ONNX Runtime, tensor-core sums from mmaemu.
"""

import importlib
import json
import pathlib
import sys
import types
from fractions import Fraction

import gfloat
import gfloat.formats as gf
import ml_dtypes
import numpy as np

DTYPES = {
    "e2m1": ml_dtypes.float4_e2m1fn,
    "e2m3": ml_dtypes.float6_e2m3fn,
    "e3m2": ml_dtypes.float6_e3m2fn,
    "e4m3": ml_dtypes.float8_e4m3fn,
    "e5m2": ml_dtypes.float8_e5m2,
    "f16": np.float16,
    "bf16": ml_dtypes.bfloat16,
    "f32": np.float32,
}
INFOS = {
    "e2m1": gf.format_info_ocp_e2m1,
    "e2m3": gf.format_info_ocp_e2m3,
    "e3m2": gf.format_info_ocp_e3m2,
    "e4m3": gf.format_info_ocp_e4m3,
    "e5m2": gf.format_info_ocp_e5m2,
    "f16": gf.format_info_binary16,
    "bf16": gf.format_info_bfloat16,
    "f32": gf.format_info_binary32,
}
MODES = {
    "rne": gfloat.RoundMode.TiesToEven,
    "rz": gfloat.RoundMode.TowardZero,
    "ru": gfloat.RoundMode.TowardPositive,
    "rd": gfloat.RoundMode.TowardNegative,
    "rna": gfloat.RoundMode.TiesToAway,
}


def info(name):
    """gfloat's description of a format; an ExMy it does not know is described by its numbers."""
    if name not in INFOS:
        e, m = int(name[1]), int(name[3])
        INFOS[name] = gfloat.FormatInfo(
            name=name, k=1 + e + m, precision=m + 1, bias=2 ** (e - 1) - 1, has_nz=True,
            domain=gfloat.Domain.Finite, num_high_nans=0, has_subnormals=True, is_signed=True,
            is_twos_complement=False,
        )
    return INFOS[name]


_tables = {}


def decode(name, codes):
    """Values of codes as float64 (floats) or int64 (integers)."""
    if name[0] in "iub" and name[1:].isdigit():
        bits = int(name[1:])
        codes = codes.astype(np.int64) & ((1 << bits) - 1)
        if name[0] == "i":
            return codes - ((codes >> (bits - 1)) << bits)
        return codes if name[0] == "u" else 2 * codes - ((1 << bits) - 1)
    if name == "f32":
        return codes.astype(np.uint32).view(np.float32).astype(np.float64)
    if name not in _tables:
        fi = info(name)
        all_codes = np.arange(1 << fi.k, dtype=np.uint32)
        table = gfloat.decode_ndarray(fi, all_codes)
        if name in DTYPES:
            width = np.uint8 if fi.k <= 8 else np.uint16
            with np.errstate(invalid="ignore"):  # signalling NaNs
                other = all_codes.astype(width).view(DTYPES[name]).astype(np.float64)
            assert np.array_equal(table, other, equal_nan=True), name
        _tables[name] = table
    return _tables[name][codes]


def lowest_unit(name):
    fi = info(name)
    return 1 - fi.bias - (fi.precision - 1)


def exact_sums(a_name, b_name, a, b):
    """Sums over the last axis as float64 rounded to odd (53 bits); NaN and infinities as IEEE 754 says."""
    x, y = decode(a_name, a), decode(b_name, b)
    with np.errstate(invalid="ignore", over="ignore"):
        p = x * y
    nan = np.isnan(p).any(-1) | ((p == np.inf).any(-1) & (p == -np.inf).any(-1))
    plus, minus = (p == np.inf).any(-1), (p == -np.inf).any(-1)
    p = np.where(np.isfinite(p), p, 0.0)
    if p.shape[-1] == 1:
        total = p[..., 0].copy()  # a product of two short significands is a double
    else:
        unit = lowest_unit(a_name) + lowest_unit(b_name)
        units = np.ldexp(p, -unit)  # whole numbers, exact: few significant bits
        limbs = []
        for i in (2, 1, 0):
            limb = np.trunc(np.ldexp(units, -32 * i))
            units = units - np.ldexp(limb, 32 * i)
            limbs.append(limb.astype(np.int64).sum(-1))
        total = np.array(
            [to_odd((h << 64) + (m << 32) + l, unit) for h, m, l in zip(*(x.tolist() for x in limbs))]
        )
    total = np.where(total == 0, 0.0, total)
    total = np.where(plus, np.inf, np.where(minus, -np.inf, total))
    return np.where(nan, np.nan, total)


def to_odd(n, unit):
    """n * 2^unit as a double; inexact ones get an odd last bit."""
    drop = abs(n).bit_length() - 53
    if drop > 0:
        kept, rest = abs(n) >> drop, abs(n) & ((1 << drop) - 1)
        magnitude = float(kept | (rest != 0)) * 2.0**drop
        n = -magnitude if n < 0 else magnitude
    return float(n) * 2.0**unit


def round_to(values, run, random=None):
    """Doubles as values of a format, by gfloat; by numpy or ml_dtypes as well where they can."""
    d = run["d"]
    fi = info(d)
    values = values.copy()
    nan = np.isnan(values)
    if fi.num_nans == 0:  # our rule: NaN becomes 0, overflow the largest number
        values[nan] = 0.0
    saturate = run["saturate"] or (fi.num_nans == 0 and fi.domain == gfloat.Domain.Finite)
    with np.errstate(invalid="ignore", over="ignore"):
        if random is not None:
            out = gfloat.round_ndarray(
                fi, values, gfloat.RoundMode.StochasticFastest, saturate, random.astype(np.int64), 16
            )
        else:
            out = gfloat.round_ndarray(fi, values, MODES[run["round"]], saturate)
            if d in DTYPES and run["round"] == "rne" and not saturate and d != "e4m3":
                narrow = values.astype(np.float32) if d == "f32" else None
                if narrow is not None:
                    assert np.array_equal(out, narrow.astype(np.float64), equal_nan=True)
    zero = out == 0
    negative = np.signbit(out) & (values != 0)
    if run["round"] == "rd" and random is None:
        negative = negative | ((values == 0) & ~nan)  # our rule: an exact zero is -0 when rounding down
    return np.where(zero, np.where(negative, -0.0, 0.0), out)


def same(expected, d, codes):
    """Which codes have the expected values; NaN must be the canonical code, zeros must agree in sign."""
    got = decode(d, codes)
    nan = np.isnan(expected)
    equal = (got == expected) & (np.signbit(got) == np.signbit(expected))
    canonical = {"f32": 0x7FC00000, "f16": 0x7E00, "bf16": 0x7FC0, "e4m3": 0x7F, "e5m2": 0x7E}.get(d)
    return np.where(nan, codes == (canonical if canonical is not None else 0), equal)


class Data:
    def __init__(self, path):
        self.words = np.fromfile(path, dtype="<u4")
        self.at = 0

    def take(self, *shape):
        count = int(np.prod(shape))
        out = self.words[self.at : self.at + count].reshape(shape)
        assert out.size == count, "the file is too short"
        self.at += count
        return out


def first_wrong(fine, *columns):
    if fine.all():
        return None
    i = int(np.argmin(fine))
    return [str(c[i]) for c in columns]


def judge_exact(job, data):
    count, k = job["count"], job["k"]
    if job["exhaustive"]:
        b_bits = job["b_bits"]
        index = np.arange(count, dtype=np.uint32)
        a, b = (index >> b_bits)[:, None], (index & ((1 << b_bits) - 1))[:, None]
    else:
        a, b = data.take(count, k), data.take(count, k)
    sums = exact_sums(job["a"], job["b"], a, b)
    wrong, first = 0, None
    for run in job["runs"]:
        random = data.take(count) if run["round"] == "stochastic" else None
        codes = data.take(count)
        expected = round_to(sums, run, random)
        fine = same(expected, run["d"], codes)
        wrong += int((~fine).sum())
        first = first or first_wrong(fine, sums, expected, codes)
    return count * len(job["runs"]), wrong, first


def judge_int(job, data):
    count, k, bits = job["count"], job["k"], job["bits"]
    if job["exhaustive"]:
        index = np.arange(count, dtype=np.uint32)
        a, b = (index >> job["b_bits"])[:, None], (index & ((1 << job["b_bits"]) - 1))[:, None]
    else:
        a, b = data.take(count, k), data.take(count, k)
    x, y = decode(job["a"], a), decode(job["b"], b)
    if job["mode"] == "saturate":
        low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        total = np.zeros(count, np.int64)
        for i in range(k):
            total = np.clip(total + x[:, i] * y[:, i], low, high)
    else:
        total = (x * y).sum(-1)
    expected = (total & 0xFFFFFFFF).astype(np.uint32)
    if job["mode"] == "wrap" and bits < 32:
        expected = (((total + (1 << (bits - 1))) & ((1 << bits) - 1)) - (1 << (bits - 1))).astype(np.uint32)
    codes = data.take(count)
    fine = codes == expected
    return count, int((~fine).sum()), first_wrong(fine, expected, codes)


def onnx_session(op, inputs, names, types, out_type, domain="", **attributes):
    import onnxruntime
    from onnx import helper

    graph = helper.make_graph(
        [helper.make_node(op, names, ["out"], domain=domain, **attributes)], "g",
        [helper.make_tensor_value_info(n, t, inputs[n].shape) for n, t in zip(names, types)],
        [helper.make_tensor_value_info("out", out_type, None)],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0]


def judge_onnx(job, data):
    from onnx import TensorProto as T

    kinds = {"i8": (np.int8, T.INT8), "u8": (np.uint8, T.UINT8)}
    m, n, k = job["m"], job["n"], job["k"]
    (a_type, a_onnx), (b_type, b_onnx) = kinds[job["a"]], kinds[job["b"]]
    a = data.take(m, k).astype(np.uint8).view(a_type)
    b = data.take(k, n).astype(np.uint8).view(b_type)
    wrong, dots, first = 0, 0, None
    if job["op"] == "MatMulInteger":
        expected = onnx_session("MatMulInteger", {"a": a, "b": b}, ["a", "b"], [a_onnx, b_onnx], T.INT32)
        fine = expected.view(np.uint32) == data.take(m, n)
        return m * n, int((~fine).sum()), first_wrong(fine.ravel(), expected.ravel())
    d_type, d_onnx = kinds[job["d"]]
    scales = data.take(job["scales"]).view(np.float32)
    zero = d_type(job["zero"])
    one = np.array(1.0, np.float32)
    # With scales of 1 for A and Y the factor of a column is B's scale: no arithmetic between ours and theirs.
    b_scale = scales if job["scales"] > 1 else scales[0]
    inputs = {
        "a": a, "as": one, "az": a_type(0), "b": b, "bs": b_scale,
        "bz": np.zeros(job["scales"], b_type) if job["scales"] > 1 else b_type(0),
        "ys": one, "yz": zero,
    }
    inputs = {key: np.asarray(value) for key, value in inputs.items()}
    f = T.FLOAT
    if job["op"] == "QGemm":
        # ONNX Runtime's own operator: the bias is added to the 32-bit sums.
        inputs["c"] = data.take(n).view(np.int32)
        names = ["a", "as", "az", "b", "bs", "bz", "c", "ys", "yz"]
        types = [a_onnx, f, a_onnx, b_onnx, f, b_onnx, T.INT32, f, d_onnx]
        expected = onnx_session("QGemm", inputs, names, types, d_onnx, domain="com.microsoft", alpha=1.0)
    else:
        types = [a_onnx, f, a_onnx, b_onnx, f, b_onnx, f, d_onnx]
        expected = onnx_session("QLinearMatMul", inputs, list(inputs), types, d_onnx)
    codes = data.take(m, n).astype(np.uint8).view(d_type)
    fine = expected == codes
    return m * n, int((~fine).sum()), first_wrong(fine.ravel(), expected.ravel(), codes.ravel())


def judge_quantize_linear(job, data):
    """Casts of binary32 to integers, ties to even, saturating: QuantizeLinear with scale 1."""
    from onnx import TensorProto as T

    x = data.take(job["count"]).view(np.float32)
    kind, onnx_kind = {"i8": (np.int8, T.INT8), "u8": (np.uint8, T.UINT8)}[job["d"]]
    inputs = {"x": x, "s": np.array(1.0, np.float32), "z": np.array(0, kind)}
    expected = onnx_session("QuantizeLinear", inputs, ["x", "s", "z"], [T.FLOAT, T.FLOAT, onnx_kind], onnx_kind)
    codes = data.take(job["count"]).astype(np.uint8).view(kind)
    fine = expected == codes
    return job["count"], int((~fine).sum()), first_wrong(fine, x, expected, codes)


def judge_requant(job, data):
    """gemmlowp's and TFLite's definitions in Python's unbounded integers."""
    x = data.take(job["count"]).view(np.int32).tolist()
    factors = data.take(job["count"]).view(np.float32).tolist()
    codes = data.take(job["count"]).view(np.int32).tolist()
    wrong, first = 0, None
    for v, factor, got in zip(x, factors, codes):
        # factor = q * 2^exponent with q in [1/2, 1), q in 31 fraction bits, halves away from zero
        fraction, exponent = Fraction(factor), 0
        while fraction >= 1:
            fraction, exponent = fraction / 2, exponent + 1
        while 0 < fraction < Fraction(1, 2):
            fraction, exponent = fraction * 2, exponent - 1
        multiplier = int(fraction * 2**31 + Fraction(1, 2))
        if multiplier == 1 << 31:
            multiplier, exponent = multiplier >> 1, exponent + 1
        if exponent < -31:
            multiplier, exponent = 0, 0
        if job["mode"] == "single":
            places = 31 - exponent
            expected = (v * multiplier + (1 << (places - 1))) >> places
            expected = max(-(1 << 31), min((1 << 31) - 1, expected))
        else:
            shifted = (v << max(exponent, 0)) & 0xFFFFFFFF
            shifted -= (shifted >> 31) << 32
            exact = Fraction(shifted * multiplier, 1 << 31)
            # nearest; the tie of a negative product goes up (toward zero), as C++ truncation makes it
            high = int(exact + Fraction(1, 2)) if exact >= 0 else -int(-exact + Fraction((1 << 30) - 1, 1 << 31))
            scaled = Fraction(high, 1 << max(-exponent, 0))
            expected = int(abs(scaled) + Fraction(1, 2)) * (1 if scaled >= 0 else -1)
        if expected != got:
            wrong += 1
            first = first or [v, factor, expected, got]
    return job["count"], wrong, first


def judge_blocks(job, data):
    """gfloat decodes the blocks, Fractions form the sums."""
    count, k, size, kind = job["count"], job["k"], job["size"], job["blocks"]
    per_line = -(-k // size)
    sides = []
    for name in (job["a"], job["b"]):
        codes, scales = data.take(count, k), data.take(count, per_line)
        zeros = data.take(count, per_line).view(np.int32) if kind == "group" else None
        if kind == "mx":
            block = gfloat.BlockFormatInfo("mx", gf.format_info_ocp_int8 if name == "i8" else info(name), size,
                                           gf.format_info_ocp_e8m0)
        elif kind == "nvfp4":
            block = gfloat.BlockFormatInfo("nvfp4", info("e2m1"), 16, info("e4m3"))
        lines = []
        for i in range(count):
            line = []
            for g in range(per_line):
                part = codes[i, g * size : (g + 1) * size].tolist()
                if kind == "group":
                    scale = float(decode("f16", scales[i, g : g + 1])[0])
                    values = decode(name, np.array(part)).tolist()
                    line += [(v - int(zeros[i, g])) * scale if np.isfinite(scale) else np.nan for v in values]
                else:
                    line += list(gfloat.decode_block(block, [int(scales[i, g])] + part))
            lines.append(line)
        sides.append(lines)
    codes = data.take(count)
    sums = []
    for x, y in zip(*sides):
        products = list(zip(x, y))
        special = {a * b for a, b in products if not np.isfinite(a * b)}
        if special:
            sums.append(special.pop() if len(special) == 1 else np.nan)
            continue
        total = sum((Fraction(a) * Fraction(b) for a, b in products), Fraction(0))
        scale = total.denominator.bit_length() - 1
        sums.append(to_odd(total.numerator, -scale))
    run = {"d": "f32", "round": "rne", "saturate": False}
    expected = round_to(np.array(sums), run)
    fine = same(expected, "f32", codes)
    return count, int((~fine).sum()), first_wrong(fine, np.array(sums), expected, codes)


def judge_combine(job, data):
    """alpha*A*B + beta*C from the exact sum in float64 (odd), by numpy's binary32 and Fractions."""
    count, k, mode = job["count"], job["k"], job["round"]
    a, b, c = data.take(count, k), data.take(count, k), data.take(count)
    factors, codes = data.take(count, 2).view(np.float32), data.take(count)
    unit = lowest_unit(job["a"]) + lowest_unit(job["b"])
    x, y = decode(job["a"], a), decode(job["b"], b)
    run = {"d": "f32", "round": mode, "saturate": False}

    def single(fraction):
        value = to_odd(fraction.numerator, -(fraction.denominator.bit_length() - 1))
        return float(round_to(np.array([value]), run)[0])

    expected = []
    for i in range(count):
        ab = sum(int(u * 2.0**-lowest_unit(job["a"])) * int(v * 2.0**-lowest_unit(job["b"])) for u, v in zip(x[i], y[i]))
        ab = Fraction(ab) * Fraction(2) ** unit
        alpha, beta = (float(f) for f in factors[i])
        added = Fraction(float(decode("f32", c[i : i + 1])[0]))
        if alpha == 1.0 and beta in (0.0, 1.0):
            expected.append(single(ab + (added if beta == 1.0 else 0)))
            continue
        t = single(ab)
        u = 0.0 if beta == 0.0 else single(Fraction(beta) * added)
        if not np.isfinite(t) or not np.isfinite(u):
            expected.append(np.float32(alpha) * np.float32(t) + np.float32(u))
            continue
        expected.append(single(Fraction(alpha) * Fraction(t) + Fraction(u)))
    expected = np.array(expected, np.float64)
    fine = same(expected, "f32", codes)
    return count, int((~fine).sum()), first_wrong(fine, expected, decode("f32", codes))


# ---- mmaemu, with the array calls its model makes answered by numpy instead of torch ----


class Tensor(np.ndarray):
    """The methods of torch.Tensor that mmaemu's block step uses."""

    def to(self, kind):
        return self.astype(kind).view(Tensor)

    def clamp_min(self, low):
        return np.maximum(self, low).view(Tensor)

    def amax(self, axis):
        return np.max(self, axis=axis).view(Tensor)

    def float(self):
        return self.astype(np.float32).view(Tensor)

    def double(self):
        return self.astype(np.float64).view(Tensor)

    def view(self, kind):
        return np.ndarray.view(self, kind)


def mmaemu_chain():
    torch = types.ModuleType("torch")
    torch.Tensor, torch.float64, torch.float32 = Tensor, np.float64, np.float32
    torch.int32, torch.int64, torch.int16, torch.uint8 = np.int32, np.int64, np.int16, np.uint8
    torch.frexp = lambda x: tuple(part.view(Tensor) for part in np.frexp(np.asarray(x)))
    torch.where = lambda c, x, y: np.where(c, x, y).view(Tensor)
    torch.full_like = lambda x, v: np.full(x.shape, v, x.dtype).view(Tensor)
    torch.zeros_like = lambda x: np.zeros(x.shape, x.dtype).view(Tensor)
    torch.maximum = lambda x, y: np.maximum(x, y).view(Tensor)
    torch.trunc = lambda x: np.trunc(x).view(Tensor)
    for name in ("float8_e4m3fn", "float8_e5m2", "bfloat16", "float16", "dtype", "device"):
        setattr(torch, name, type(name, (), {}))
    sys.modules.setdefault("torch", torch)
    return importlib.import_module("mmaemu.model.chain"), importlib.import_module("mmaemu.model.presets")


def judge_tc(job, data):
    chain, presets = mmaemu_chain()
    chain.EMIN.update({"f16": -14, "bf16": -126})
    preset = presets.Preset(
        "job", nfma=job["group"], frac=job["fraction"], frac_out=job["result_fraction"], min_exp=job["least_exponent"],
        late_c=False, slow_chunk=None,
    )
    if job["preset"]:  # a preset of theirs, validated on hardware by them: it must be what we named
        theirs = presets._REGISTRY[job["preset"]]
        for key in ("nfma", "frac", "frac_out", "min_exp", "late_c"):
            assert getattr(theirs, key) == getattr(preset, key), key
    count, k = job["count"], job["k"]
    a, b, c = data.take(count, k), data.take(count, k), data.take(count)
    codes = data.take(count)
    pad = -k % preset.nfma
    x, y = (np.pad(decode(n, v), ((0, 0), (0, pad))).view(Tensor) for n, v in ((job["a"], a), (job["b"], b)))
    acc = decode("f32", c).view(Tensor)
    for at in range(0, k + pad, preset.nfma):
        part = slice(at, at + preset.nfma)
        acc = chain.bfma(x[:, part], y[:, part], acc, preset, (job["a"], job["b"]))
    expected = np.asarray(acc)
    fine = same(expected, "f32", codes)
    return count, int((~fine).sum()), first_wrong(fine, expected, decode("f32", codes))


JUDGES = {
    "exact": judge_exact,
    "int": judge_int,
    "onnx": judge_onnx,
    "quantize": judge_quantize_linear,
    "requant": judge_requant,
    "blocks": judge_blocks,
    "combine": judge_combine,
    "tc": judge_tc,
}


def main():
    folder = pathlib.Path(sys.argv[1])
    for line in (folder / "jobs.jsonl").read_text().splitlines():
        job = json.loads(line)
        data = Data(folder / job["file"])
        dots, wrong, first = JUDGES[job["kind"]](job, data)
        assert data.at == len(data.words), f"{job}: {len(data.words) - data.at} words are left over"
        print(json.dumps({
            "suite": job["suite"], "judge": job["judge"], "pair": job["pair"], "modes": job["modes"],
            "dots": dots, "mismatches": wrong, "first": first,
        }), flush=True)


if __name__ == "__main__":
    main()
