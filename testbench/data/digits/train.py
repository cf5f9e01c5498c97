#!/usr/bin/env python3
"""Trains the digit classifier of the demo and writes its forms in narrow numbers.

Usage: python3 train.py          (writes model.json, weights.npz, images.u8 and labels.u8 beside this file)
Needs: scikit-learn 1.9.1, numpy 2.4.6, ml_dtypes 0.6.0 (the versions that made the committed files)

The network is 64 -> 32 -> 10 with one ReLU. It is trained in floating point on a part of the UCI digits and then
quantised, symmetrically, without retraining. Every form computes, layer by layer, what a card does:

    pixel      0..16, which stands for pixel/16: exact in every type of A
    weight     w / scale in the type of B, to nearest even; one scale a tensor (int8) or a column (int4, fp8)
    bias       b / (input scale * weight scale), int32 or float32, added to the sum
    hidden     relu(float32(sum) * float32(scale)) cast to the type of A, to nearest even, saturating,
               scale = input scale * weight scale / hidden scale
    answer     index of the largest output, the first one of equals; outputs are sums (int8), or sums times their
               column's scale in float32

The hidden scale is the largest hidden value on the training images over the largest value of A's type. A scale of
weights is the largest magnitude over the largest weight; of int4, that times the factor from 0.5 to 1 which leaves
the least square error in its column.
"""

import json
from pathlib import Path

import ml_dtypes
import numpy as np
import sklearn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

SEED = 1797
HIDDEN = 32
HERE = Path(__file__).parent


class Int:
    """Symmetric signed integers, sums in int32."""

    def __init__(self, bits):
        self.largest = 2 ** (bits - 1) - 1

    def cast(self, values):
        return np.clip(np.rint(values), -self.largest, self.largest).astype(np.int64)

    value = code = staticmethod(lambda cast: cast)
    bias = staticmethod(lambda values: np.rint(values).astype(np.int64))
    sums = staticmethod(lambda a, b, bias: (a @ b + bias).astype(np.int32).astype(np.float32))


class E4m3:
    """OCP E4M3: exact sums, rounded once to float32."""

    largest = 448.0

    def cast(self, values):
        return np.clip(values, -448, 448).astype(np.float32).astype(ml_dtypes.float8_e4m3fn)

    value = staticmethod(lambda cast: cast.astype(np.float64))
    code = staticmethod(lambda cast: cast.view(np.uint8))
    bias = staticmethod(lambda values: values.astype(np.float32))
    # Sums of 64 products span less than 53 bits: exact in float64, whatever the order.
    sums = staticmethod(lambda a, b, bias: (a @ b).astype(np.float32) + bias)


def scales(weights, kind, per_column, search):
    """The scale of each column of weights."""
    most = np.abs(weights).max(axis=0) if per_column else np.full(weights.shape[1], np.abs(weights).max())
    best = most / kind.largest
    if search:
        def error(scale):
            return ((kind.value(kind.cast(weights / scale)) * scale - weights) ** 2).sum(axis=0)
        for factor in np.linspace(0.5, 1, 51):
            scale = most / kind.largest * factor
            best = np.where(error(scale) < error(best), scale, best)
    return best


def form(name, types, a, b, network, pixels, train, per_column=True, search=False):
    """The network in these types, and its answers for all pixels."""
    (w1, w2), (b1, b2) = network.coefs_, network.intercepts_
    s_in, s_hidden = 1 / 16, np.maximum(pixels[train] / 16 @ w1 + b1, 0).max() / a.largest
    inputs, layers = a.value(a.cast(pixels)), []
    for weights, bias, before, after in ((w1, b1, s_in, s_hidden), (w2, b2, s_hidden, None)):
        s_weights = scales(weights, b, per_column, search)
        codes, biases = b.cast(weights / s_weights), a.bias(bias / (before * s_weights))
        scale = (before * s_weights / (after or 1)).astype(np.float32)
        outputs = a.sums(inputs, b.value(codes), biases)
        if after or per_column:
            outputs = outputs * scale
        inputs = a.value(a.cast(np.maximum(outputs, 0)))
        layers.append({
            "inputs": weights.shape[0],
            "outputs": weights.shape[1],
            "weights": b.code(codes).flatten().tolist(),  # inputs x outputs, row-major
            "bias": biases.tolist(),
            "scale": scale.tolist() if after or per_column else None,  # None: compared as they are
        })
    return {"name": name, "types": types, "layers": layers}, outputs.argmax(axis=1)


def main():
    digits = load_digits()
    pixels = digits.data.astype(np.int64)  # 1797 x 64, 0..16
    labels = digits.target
    everything = np.arange(len(labels))
    train, test = train_test_split(everything, test_size=0.3, random_state=SEED, stratify=labels)
    network = MLPClassifier((HIDDEN,), alpha=1e-2, max_iter=600, random_state=SEED)
    network.fit(pixels[train] / 16, labels[train])

    def correct(answer, part):
        return int((answer[part] == labels[part]).sum())

    def count(name, answer):
        counts = [correct(answer, part) for part in (everything, test)]
        for number, part in zip(counts, (everything, test)):
            print(f"{name:8} {number:5} of {len(part)} = {100 * number / len(part):.2f} %")
        return dict(zip(("correct", "correct_test"), counts))

    answer_float = network.predict(pixels / 16)
    float_counts = count("float", answer_float)
    i8, i4, e4m3 = Int(8), Int(4), E4m3()
    networks = []
    for arguments in (
        ("int8", "i8,i8,i32", i8, i8, network, pixels, train, False),
        ("int4", "i8,i4,i32", i8, i4, network, pixels, train, True, True),
        ("fp8", "e4m3,e4m3,f32", e4m3, e4m3, network, pixels, train),
    ):
        described, answer = form(*arguments)
        networks.append({**described, **count(arguments[0], answer)})
    model = {
        "made_by": "testbench/data/digits/train.py",
        "scikit_learn": sklearn.__version__,
        "images": len(labels),
        "test_images": len(test),
        "correct_float": float_counts["correct"],
        "correct_float_test": float_counts["correct_test"],
        "test": sorted(test.tolist()),
        "networks": networks,
    }
    (HERE / "model.json").write_text(json.dumps(model) + "\n")
    layers = zip(network.coefs_, network.intercepts_)
    floats = {}
    for number, (weights, bias) in enumerate(layers, 1):
        floats[f"weights{number}"] = weights.astype(np.float32)
        floats[f"bias{number}"] = bias.astype(np.float32)[np.newaxis]
    np.savez(HERE / "weights.npz", **floats)
    (HERE / "images.u8").write_bytes(pixels.astype(np.uint8).tobytes())
    (HERE / "labels.u8").write_bytes(labels.astype(np.uint8).tobytes())


if __name__ == "__main__":
    main()
