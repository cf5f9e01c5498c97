#!/usr/bin/env python3
"""Judges the sparse reference model with SuiteSparse:GraphBLAS.

    python testbench/oracles/semirings.py FOLDER

FOLDER holds jobs.jsonl, one job a line ({"name", "semiring", "type", "mask", "onto"}; mask is "", "structure", "value",
"not structure" or "not value"; onto: the product is added to a matrix), and the operands, the mask, the matrix that is
added to and the result the model computed as NAME.a, NAME.b, NAME.m, NAME.o, NAME.c (testbench/tests/semirings.rs writes them). Prints one line of JSON per job: the job with
"entries" and "mismatches". Exit 3: the library is not installed.
"""

import json
import pathlib
import sys

import numpy as np

try:
    import graphblas
except ImportError:
    sys.exit(3)

graphblas.init("suitesparse")
from graphblas import Matrix, binary, semiring  # noqa: E402 (after init)

TYPES = {"i32": ("INT32", np.int32), "f32": ("FP32", np.float32)}


def read(path, dtype):
    """Rows, columns and entries from u64 rows, cols, nnz, row pointers, then u32 columns and 32-bit values."""
    data = path.read_bytes()
    rows, cols, nnz = (int(x) for x in np.frombuffer(data, np.uint64, 3))
    pointers = np.frombuffer(data, np.uint64, rows + 1, 24)
    at = 24 + 8 * (rows + 1)
    columns = np.frombuffer(data, np.uint32, nnz, at)
    values = np.frombuffer(data, dtype, nnz, at + 4 * nnz)
    row_of = np.repeat(np.arange(rows, dtype=np.uint64), np.diff(pointers).astype(np.int64))
    return rows, cols, row_of, columns.astype(np.uint64), values


def matrix(path, kind):
    name, dtype = TYPES[kind]
    rows, cols, row, col, values = read(path, dtype)
    return Matrix.from_coo(row, col, values, nrows=rows, ncols=cols, dtype=name)


def judge(folder, job):
    kind, prefix = job["type"], str(folder / job["name"])
    a, b, got = (matrix(pathlib.Path(f"{prefix}.{part}"), kind) for part in "abc")
    # Booleans are called "lor" and "land" there.
    name = {"or-and": "lor_land"}.get(job["semiring"], job["semiring"].replace("-", "_"))
    product, options = a.mxm(b, getattr(semiring, name)), {"dtype": TYPES[kind][0]}
    if job["mask"]:
        m = matrix(pathlib.Path(f"{prefix}.m"), kind)
        mask = m.S if job["mask"].endswith("structure") else m.V
        options["mask"] = ~mask if job["mask"].startswith("not") else mask
    if job["onto"]:
        # Outside the mask nothing stays of the matrix. "Or" of 0 and 1 is the greater one.
        adds = {"lor": "max"}.get(name.split("_")[0], name.split("_")[0])
        want = matrix(pathlib.Path(f"{prefix}.o"), kind)
        options.pop("dtype")
        want(accum=getattr(binary, adds), replace="mask" in options, **options) << product
    else:
        want = product.new(**options)
    (r0, c0, v0), (r1, c1, v1) = want.to_coo(sort=True), got.to_coo(sort=True)
    if len(v0) != len(v1) or (r0 != r1).any() or (c0 != c1).any():
        return len(v0), max(1, abs(len(v0) - len(v1)))
    return len(v0), int((v0 != v1).sum())


def main():
    folder = pathlib.Path(sys.argv[1])
    for line in (folder / "jobs.jsonl").read_text().splitlines():
        job = json.loads(line)
        entries, mismatches = judge(folder, job)
        print(json.dumps({**job, "entries": entries, "mismatches": mismatches}))


main()
