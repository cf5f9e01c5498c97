#!/usr/bin/env python3
"""Judges quantised weights and their products with libraries that know nothing of Mattock.

    python testbench/oracles/quantized.py FOLDER

FOLDER holds jobs.jsonl, one job a line, and for each its file of weights (.npz), and as raw binary32 the weights
it was made from (.w), the activations (.x), the weights its codes stand for (.v) and the card's product (.d).
Every job: NumPy reads the file, unpacks the codes and does the product by the steps of docs/numerics.md. Beyond that

    codes    the codes are those of onnxruntime's QuantizeLinear along columns, clamped to the bits
    blocks   the values are those of DequantizeLinear in blocks
    nbits    the values are those of MatMulNBits (as GPTQ and AWQ weights are run), times the unit matrix

Prints one line of JSON per job: {"name", "check", "compared", "mismatches"}.
"""

import json
import pathlib
import sys

import numpy as np

try:
    import onnxruntime
    from onnx import TensorProto as T
    from onnx import helper
except ImportError:
    sys.exit(3)

F = np.float32


def session(op, inputs, types, out_type, domain="", **attributes):
    node = helper.make_node(op, list(inputs), ["out"], domain=domain, **attributes)
    graph = helper.make_graph(
        [node], "g",
        [helper.make_tensor_value_info(name, t, inputs[name].shape) for name, t in zip(inputs, types)],
        [helper.make_tensor_value_info("out", out_type, None)],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    run = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return run.run(None, inputs)[0]


def same(a, b):
    """Elements of other bits; zeros of either sign count as one in the judges' values."""
    assert a.shape == b.shape, (a.shape, b.shape)
    return int((a != b).sum())


class Weights:
    """A file, by NumPy alone."""

    def __init__(self, path):
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        assert arrays["mattock"].tolist() == [1]
        self.k, self.n = (int(size) for size in arrays["shape"])
        self.group = int(arrays["group"][0])
        self.widths = arrays["widths"]
        self.outliers = arrays.get("outliers", np.zeros(0, np.uint32)).astype(int)
        self.ordinary = np.setdiff1d(np.arange(self.k), self.outliers)
        self.codes = np.zeros((len(self.ordinary), self.n), np.int64)
        for bits in np.unique(self.widths):
            columns = np.flatnonzero(self.widths == bits)
            planes = np.unpackbits(arrays[f"codes_{bits}"], axis=1, bitorder="little")
            planes = planes[:, : len(columns) * bits].reshape(-1, len(columns), bits).astype(np.int64)
            weights = 1 << np.arange(bits)
            weights[-1] = -weights[-1]
            self.codes[:, columns] = planes @ weights
        self.scales = arrays["scales"]
        self.zeros = arrays.get("zeros", np.zeros(self.scales.shape, np.int8)).astype(np.int64)
        self.outlier_weights = arrays.get("outlier_weights")
        self.factors = arrays.get("factors", np.ones(self.k, F))

    def product(self, x):
        """The definition, step by step, in binary32 where it says so."""
        inputs = (x * self.factors)[:, self.ordinary]
        t = (np.abs(inputs).max(axis=1) / F(127)).astype(F)
        t[t == 0] = 1
        a = np.clip(np.rint(inputs / t[:, None]), -127, 127).astype(np.int64)
        d = np.zeros((len(x), self.n), F)
        for g in range(len(self.scales)):
            rows = slice(g * self.group, (g + 1) * self.group)
            exact = a[:, rows] @ self.codes[rows] - a[:, rows].sum(axis=1)[:, None] * self.zeros[g]
            d = d + exact.astype(F) * self.scales[g]
        d = d * t[:, None]
        if len(self.outliers):
            beside = np.zeros_like(d)
            halves = x[:, self.outliers].astype(np.float16).astype(F)
            for i in range(len(self.outliers)):
                beside = beside + halves[:, i : i + 1] * self.outlier_weights[i].astype(F)
            d = d + beside
        assert d.dtype == F
        return d


def codes(weights, w, _):
    most = (1 << (int(weights.widths[0]) - 1)) - 1
    scales = (np.abs(w).max(axis=0) / F(most)).astype(F)
    scales[scales == 0] = 1
    inputs = {"x": w, "s": scales, "z": np.zeros(weights.n, np.int8)}
    expected = session("QuantizeLinear", inputs, [T.FLOAT, T.FLOAT, T.INT8], T.INT8, axis=1)
    expected = np.clip(expected, -most, most).astype(np.int64)
    return w.size, same(weights.codes, expected) + same(weights.scales[0], scales)


def blocks(weights, w, v):
    inputs = {"x": weights.codes.astype(np.int8), "s": weights.scales, "z": weights.zeros.astype(np.int8)}
    types = [T.INT8, T.FLOAT, T.INT8]
    expected = session("DequantizeLinear", inputs, types, T.FLOAT, axis=0, block_size=weights.group)
    return w.size, same(v, expected)


def nbits(weights, w, v):
    """Codes of MatMulNBits are unsigned, two a byte, column after column; 8 is our 0."""
    k, n, group = weights.k, weights.n, weights.group
    unsigned = (weights.codes.T + 8).astype(np.uint8).reshape(n, -1, group)
    packed = unsigned[..., ::2] | unsigned[..., 1::2] << 4
    zeros = (weights.zeros.T + 8).astype(np.uint8)
    zeros = np.pad(zeros, ((0, 0), (0, zeros.shape[1] % 2)))
    inputs = {
        "a": np.eye(k, dtype=F), "b": packed, "s": weights.scales.T.ravel().copy(),
        "z": (zeros[:, ::2] | zeros[:, 1::2] << 4).ravel(),
    }
    types = [T.FLOAT, T.UINT8, T.FLOAT, T.UINT8]
    expected = session(
        "MatMulNBits", inputs, types, T.FLOAT, domain="com.microsoft", K=k, N=n, bits=4, block_size=group,
    )
    return w.size, same(v, expected)


CHECKS = {"codes": codes, "blocks": blocks, "nbits": nbits, "product": lambda *_: (0, 0)}


def main():
    folder = pathlib.Path(sys.argv[1])
    for line in (folder / "jobs.jsonl").read_text().splitlines():
        job = json.loads(line)
        name = job["name"]
        read = lambda part: np.fromfile(folder / f"{name}.{part}", dtype=F)
        weights = Weights(folder / f"{name}.npz")
        shape = (weights.k, weights.n)
        x, d = read("x").reshape(job["m"], -1), read("d").reshape(job["m"], -1)
        expected = weights.product(x)
        compared, wrong = d.size, int((d.view(np.uint32) != expected.view(np.uint32)).sum())
        # The file's values are those the library says, and near to what they were made from.
        w, v = read("w").reshape(shape), read("v").reshape(shape)
        values = (weights.codes - np.repeat(weights.zeros, weights.group, 0)[: len(weights.codes)]).astype(F)
        values = values * np.repeat(weights.scales, weights.group, 0)[: len(values)]
        values = values * weights.factors[weights.ordinary][:, None]
        compared, wrong = compared + values.size, wrong + same(v[weights.ordinary], values)
        more = CHECKS[job["check"]](weights, w, v)
        print(json.dumps({
            "name": name, "check": job["check"], "compared": compared + more[0], "mismatches": wrong + more[1],
        }), flush=True)


if __name__ == "__main__":
    main()
