#!/usr/bin/env python3
"""Trains the digit classifier of the demo and writes its int8 form.

Usage: python3 train.py          (writes model.json, images.u8 and labels.u8 beside this file)
Needs: scikit-learn 1.9.1, numpy 2.4.6 (the versions that made the committed files)

The network is 64 -> 32 -> 10 with one ReLU. It is trained in floating point on a part of the UCI
digits and then quantised per tensor, symmetrically, without retraining:

    pixel      q = pixel, 0..16, which stands for pixel/16: nothing is lost
    weight     q = round(w / scale), scale = max|w| / 127
    bias       q = round(b / (input scale * weight scale)), int32
    hidden     q = clamp(round_half_even(float32(sum) * float32(multiplier)), 0, 127), int8,
               multiplier = input scale * weight scale / hidden scale
    answer     index of the largest int32 output, the first one of equals

The hidden scale is the largest hidden value on the training images / 127.
"""

import json
from pathlib import Path

import numpy as np
import sklearn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

SEED = 1797
HIDDEN = 32
HERE = Path(__file__).parent


def quantise(weights):
    scale = np.abs(weights).max() / 127
    return np.rint(weights / scale).astype(np.int64), scale


def main():
    digits = load_digits()
    pixels = digits.data.astype(np.int64)  # 1797 x 64, 0..16
    labels = digits.target
    train, test = train_test_split(
        np.arange(len(labels)), test_size=0.3, random_state=SEED, stratify=labels
    )

    network = MLPClassifier((HIDDEN,), alpha=1e-2, max_iter=600, random_state=SEED)
    network.fit(pixels[train] / 16, labels[train])
    answer_float = network.predict(pixels / 16)

    (w1, w2), (b1, b2) = network.coefs_, network.intercepts_
    hidden = np.maximum(pixels[train] / 16 @ w1 + b1, 0)
    q1, s1 = quantise(w1)
    q2, s2 = quantise(w2)
    s_in, s_hidden = 1 / 16, hidden.max() / 127
    c1 = np.rint(b1 / (s_in * s1)).astype(np.int64)
    c2 = np.rint(b2 / (s_hidden * s2)).astype(np.int64)
    multiplier = np.float32(s_in * s1 / s_hidden)

    sums = (pixels @ q1 + c1).astype(np.int32)
    rounded = np.rint(sums.astype(np.float32) * multiplier)
    outputs = np.clip(rounded, 0, 127).astype(np.int64) @ q2 + c2
    answer_int8 = outputs.argmax(axis=1)

    def correct(answer, part):
        return int((answer[part] == labels[part]).sum())

    everything = np.arange(len(labels))
    model = {
        "made_by": "testbench/data/digits/train.py",
        "scikit_learn": sklearn.__version__,
        "images": len(labels),
        "test_images": len(test),
        "correct_float": correct(answer_float, everything),
        "correct_float_test": correct(answer_float, test),
        "correct_int8": correct(answer_int8, everything),
        "correct_int8_test": correct(answer_int8, test),
        "test": sorted(test.tolist()),
        "layers": [
            {
                "inputs": 64,
                "outputs": HIDDEN,
                "weights": q1.flatten().tolist(),  # inputs x outputs, row-major
                "bias": c1.tolist(),
                "multiplier": float(multiplier),
            },
            {
                "inputs": HIDDEN,
                "outputs": 10,
                "weights": q2.flatten().tolist(),
                "bias": c2.tolist(),
                "multiplier": None,  # the last layer's sums are compared as they are
            },
        ],
    }
    (HERE / "model.json").write_text(json.dumps(model) + "\n")
    (HERE / "images.u8").write_bytes(pixels.astype(np.uint8).tobytes())
    (HERE / "labels.u8").write_bytes(labels.astype(np.uint8).tobytes())
    for key in ("correct_float", "correct_float_test", "correct_int8", "correct_int8_test"):
        total = len(test) if key.endswith("test") else len(labels)
        print(f"{key:20} {model[key]:5} of {total} = {100 * model[key] / total:.2f} %")


if __name__ == "__main__":
    main()
