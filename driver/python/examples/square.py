"""Squares a sparse matrix on a card and compares it with SciPy.

    mattock serve --config small --socket card.sock &
    python square.py vfio-user:card.sock testbench/data/matrices/karate.mtx.gz
"""

import sys

import mattock
import numpy as np
import scipy.io
import scipy.sparse


def main(url, path):
    matrix = scipy.io.mmread(path).tocsr()
    # Small whole numbers, so that sums are exact in any order.
    matrix.data = (np.arange(matrix.nnz) % 7 + 1).astype(np.float32)
    matrix = scipy.sparse.csr_array(matrix)
    with mattock.open(url) as card:
        square = card.spgemm(matrix)
        cycles = card.last_stats["cycles"]
    expected = matrix @ matrix
    expected.sort_indices()
    # Entry by entry; SciPy keeps no zero that a sum of positive values could leave.
    equal = all(np.array_equal(getattr(square, part), getattr(expected, part)) for part in ("indptr", "indices", "data"))
    rows, cols = square.shape
    print(f"{rows} x {cols}, {square.nnz} entries, {cycles} cycles: {'equal to' if equal else 'NOT'} SciPy's")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
