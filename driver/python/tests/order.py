"""Sums in order against a loop of NumPy, on a card built for it; `order.py URL` exits 0 when every bit is right."""

import sys

import mattock
import numpy as np
import scipy.sparse

rng = np.random.default_rng(1)


def draw(rows, cols):
    """Values over 2^24, so that the order of a sum shows."""
    values = scipy.sparse.random_array((rows, cols), density=0.2, rng=rng, format="csr", dtype=np.float32)
    values.data = (rng.normal(size=values.nnz) * 2.0 ** rng.integers(-12, 12, values.nnz)).astype(np.float32)
    return values


def loop(a, b, onto=0):
    """A row after the other, k rising, a rounding for each product and each sum."""
    c = np.zeros((a.shape[0], b.shape[1]), np.float32) + onto
    for row in range(a.shape[0]):
        for at in range(a.indptr[row], a.indptr[row + 1]):
            k = a.indices[at]
            to = b.indices[b.indptr[k] : b.indptr[k + 1]]
            c[row, to] += a.data[at] * b.data[b.indptr[k] : b.indptr[k + 1]]
    return c


with mattock.open(sys.argv[1]) as card:
    a, b = draw(30, 40), draw(40, 50)
    expected = loop(a, b)
    assert np.array_equal(card.spgemm(a, b, ordered=True).toarray(), expected)
    print(card.last_stats["hazard_stalls"] > 0, "stalls")
    print((card.spgemm(a, b).toarray() != expected).sum() > 0, "fast sums differ")
    start = draw(30, 50)
    expected = loop(a, b, start.toarray())
    assert np.array_equal(card.spgemm(a, b, onto=start, ordered=True).toarray(), expected)
    print((loop(a, b) + start.toarray() != expected).sum() > 0, "begins with onto")
