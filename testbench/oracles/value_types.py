#!/usr/bin/env python3
"""Judges a card's sparse products of narrow values with NumPy, ml_dtypes and SciPy.

    python testbench/oracles/value_types.py FOLDER

FOLDER holds jobs.jsonl, one job a line ({"name", "type"}; type is "i8", "i16", "f16" or "bf16"), and the operands and
the card's result as NAME.a, NAME.b, NAME.c (testbench/tests/value_types.rs writes them): codes of the type, and i32 or
f32. Integers must be SciPy's int32 products of the int8 or int16 matrices; floats must be as near to the product in
float64 as docs/numerics.md promises. Prints one line of JSON per job: the job with "entries", "mismatches" and, of
floats, "worst", the largest part of the bound that was used. Exit 3: a library is not installed.
"""

import json
import pathlib
import sys

try:
    import ml_dtypes
    import numpy as np
    import scipy.sparse
except ImportError:
    sys.exit(3)

TYPES = {"i8": (np.uint8, np.int8), "i16": (np.uint16, np.int16), "f16": (np.uint16, np.float16),
         "bf16": (np.uint16, ml_dtypes.bfloat16)}  # fmt: skip


def read(path, of_codes):
    """A matrix from u64 rows, cols, nnz, row pointers, then u32 columns and codes."""
    data = path.read_bytes()
    rows, cols, nnz = (int(x) for x in np.frombuffer(data, np.uint64, 3))
    pointers = np.frombuffer(data, np.uint64, rows + 1, 24).astype(np.int64)
    at = 24 + 8 * (rows + 1)
    columns = np.frombuffer(data, np.uint32, nnz, at).astype(np.int64)
    codes = np.frombuffer(data, np.uint32, nnz, at + 4 * nnz)
    return scipy.sparse.csr_array((of_codes(codes), columns, pointers), shape=(rows, cols))


def judge(folder, job):
    unsigned, narrow = TYPES[job["type"]]
    wide = np.int32 if job["type"].startswith("i") else np.float64
    result = np.int32 if job["type"].startswith("i") else np.float32
    a, b = (
        read(folder / f"{job['name']}.{part}", lambda codes: codes.astype(unsigned).view(narrow).astype(wide))
        for part in "ab"
    )
    got = read(folder / f"{job['name']}.c", lambda codes: codes.view(result))
    ones = [scipy.sparse.csr_array((np.ones(m.nnz), m.indices, m.indptr), shape=m.shape) for m in (a, b)]
    counts = (ones[0] @ ones[1]).tocsr()
    counts.sort_indices()
    if got.nnz != counts.nnz or (got.indices != counts.indices).any() or (got.indptr != counts.indptr).any():
        return {"entries": counts.nnz, "mismatches": max(1, abs(got.nnz - counts.nnz))}
    if result == np.int32:
        want = (a @ b).toarray()
        return {"entries": got.nnz, "mismatches": int((got.toarray() != want).sum())}
    rows, cols = counts.nonzero()
    n, got = counts.data, got.data.astype(np.float64)
    want, total = (a @ b).toarray()[rows, cols], (abs(a) @ abs(b)).toarray()[rows, cols]
    u, eta = 2.0**-24, 2.0**-150
    bound = (n - 1) * u * (1 + u) * total + 2 * n * eta + 2 * n * 2.0**-53 * total
    error = np.abs(got - want)
    return {"entries": len(n), "mismatches": int((~(error <= bound)).sum()), "worst": float((error / bound).max())}


def main():
    folder = pathlib.Path(sys.argv[1])
    for line in (folder / "jobs.jsonl").read_text().splitlines():
        job = json.loads(line)
        print(json.dumps({**job, **judge(folder, job)}))


main()
