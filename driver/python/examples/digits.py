"""Reads 1,797 hand-written digits with an int8 network whose products a card computes.

    mattock serve --config small --socket card.sock &
    python digits.py vfio-user:card.sock testbench/data/digits [images]
"""

import json
import pathlib
import sys

import mattock
import numpy as np


def classify(card, network, images):
    """The digit on each image."""
    values = images
    for layer in network["layers"]:
        weights = np.array(layer["weights"], np.int8).reshape(layer["inputs"], layer["outputs"])
        sums = card.gemm(values, weights) + np.array(layer["bias"], np.int32)
        if layer["scale"] is None:
            return sums.argmax(axis=1)
        scaled = np.rint(sums.astype(np.float32) * np.array(layer["scale"], np.float32))
        values = np.clip(scaled, 0, 127).astype(np.int8)
    return values.argmax(axis=1)


def main(url, folder, count=None):
    folder = pathlib.Path(folder)
    networks = json.loads((folder / "model.json").read_text())["networks"]
    network = next(network for network in networks if network["types"] == "i8,i8,i32")
    labels = np.fromfile(folder / "labels.u8", np.uint8)
    images = np.fromfile(folder / "images.u8", np.uint8).reshape(len(labels), 64).astype(np.int8)
    count = min(int(count or len(labels)), len(labels))
    with mattock.open(url) as card:
        answers = classify(card, network, images[:count])
    correct = int((answers == labels[:count]).sum())
    print(f"{correct} of {count} digits are right")
    return 0 if count < len(labels) or correct == network["correct"] else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
