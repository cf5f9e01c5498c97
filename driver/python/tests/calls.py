"""The calls of the package against a card, compared with NumPy and SciPy; `calls.py URL` exits 0 when all is right."""

import asyncio
import gc
import pathlib
import selectors
import sys
import tempfile
import threading

import mattock
import ml_dtypes
import numpy as np
import scipy.sparse

rng = np.random.default_rng(1)


def draw(*shape):
    return rng.integers(-128, 128, shape, dtype=np.int8)


def product(a, b):
    return a.astype(np.int32) @ b.astype(np.int32)


def refused(kind, call, *arguments, **options):
    """What the exception says."""
    try:
        call(*arguments, **options)
    except kind as error:
        return str(error)
    raise AssertionError(f"{call.__name__} took {arguments}")


def dense(card):
    a, b = draw(5, 9), draw(9, 6)
    assert np.array_equal(card.gemm(a, b), product(a, b))
    assert card.last_stats["macs"] == 5 * 9 * 6
    # Where the memory lies: transposed, by columns, with gaps, every second element, backwards.
    wide = draw(20, 30)
    for left in (wide.T, np.asfortranarray(wide), wide[3:9, 4:20], wide[::2], wide[:, ::3], wide[::-1, ::-1]):
        right = draw(left.shape[1], 4)
        assert np.array_equal(card.gemm(left, right), product(left, right)), left.strides
    # Into an array that is there, by columns, in the middle of another one.
    home = np.full((12, 12), 7, np.int32)
    c = home[2:7, 3:9].T
    before = c.copy()
    out = card.gemm(b.T, a.T, c, alpha=-2, beta=3)
    assert out is c and np.array_equal(c, -2 * product(b.T, a.T) + 3 * before)
    home[2:7, 3:9] = 7
    assert (home == 7).all()
    vector = draw(9)
    assert np.array_equal(card.gemv(a, vector), product(a, vector))
    assert card.gemm(a[:, :0], b[:0]).tolist() == np.zeros((5, 6)).tolist()
    assert card.gemm(a[:0], b).shape == (0, 6)
    # Four bits.
    i4 = [rng.integers(-8, 8, shape) for shape in ((5, 7), (7, 3))]
    packed = card.gemm(*(mattock.pack(m, "i4") for m in i4))
    typed = card.gemm(*(m.astype(ml_dtypes.int4) for m in i4))
    assert np.array_equal(packed, i4[0] @ i4[1]) and np.array_equal(typed, packed)
    # Batches: shapes differ, results are made or given.
    lefts, rights = [draw(3, 4), draw(1, 9), draw(7, 2).T], [draw(4, 5), draw(9, 1), draw(7, 3)]
    for found, left, right in zip(card.gemm_batched(lefts, rights), lefts, rights):
        assert np.array_equal(found, product(left, right))
    ones = [np.ones((3, 5), np.int32), np.ones((1, 1), np.int32), np.ones((2, 3), np.int32)]
    event = card.gemm_batched(lefts, rights, ones, alpha=2, beta=-3, wait=False)
    results = event.wait()
    for found, one, left, right in zip(results, ones, lefts, rights):
        assert found is one and np.array_equal(found, 2 * product(left, right) - 3)
    assert event.stats["commands"] == 3 and card.gemm_batched([], []) == []
    print(refused(ValueError, card.gemm_batched, lefts, rights[:2]))
    print(refused(mattock.ArgumentError, card.gemm_batched, lefts, rights[::-1]))
    print(refused(TypeError, card.gemm_batched, [a, a.astype(np.float64)], [b, b]))
    print(refused(mattock.ArgumentError, card.gemm_batched, [a, a], [b, b], [home[:5, :6], home[3:8, :6]]))
    print(refused(mattock.Unsupported, card.gemm, a, b.astype(np.float16)))
    print(refused(TypeError, card.gemm, a.astype(np.float64), b))
    print(refused(mattock.ArgumentError, card.gemm, a, a))
    print(refused(ValueError, mattock.pack, i4[0] * 9, "i4"))
    print(refused(ValueError, card.gemm, a, b, np.zeros((5, 12), np.int32)[:, ::2]))
    print(refused(ValueError, card.gemm, a, b, rounding="up"))


def events(card):
    a, b = draw(40, 50), draw(50, 60)
    started = [card.gemm(a, b, alpha=factor, wait=False) for factor in (1, 2, 3)]
    for factor, event in enumerate(started, 1):
        while not event.query(0.01):
            pass
        assert np.array_equal(event.wait(), factor * product(a, b)) and event.stats["commands"] == 1
        assert event.wait() is event.wait()
    # By file descriptors, and by the loop of asyncio.
    started = [card.gemm(a, b, alpha=factor, wait=False) for factor in (1, 2, 3)]
    with selectors.DefaultSelector() as selector:
        for event in started:
            selector.register(event, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select(60):
                assert key.fileobj.query()
                selector.unregister(key.fileobj)
    for factor, event in enumerate(started, 1):
        assert np.array_equal(event.wait(), factor * product(a, b))

    async def one():
        event, over = card.gemm(a, b, wait=False), asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(event.fileno(), over.set)
        await asyncio.wait_for(over.wait(), 60)
        loop.remove_reader(event.fileno())
        return event.wait()

    assert np.array_equal(asyncio.run(one()), product(a, b))
    print(refused(ValueError, started[0].fileno))
    # Lost, with its arrays: waited for all the same.
    card.gemm(a, b, wait=False)
    gc.collect()
    # Another thread runs while this one waits: the interpreter is free.
    ticks, over = [0], threading.Event()

    def tick():
        while not over.wait(0.001):
            ticks[0] += 1

    thread = threading.Thread(target=tick)
    thread.start()
    card.gemm(draw(200, 100), draw(100, 200))
    over.set()
    thread.join()
    assert ticks[0] > 10, ticks
    # Memory of the card.
    n, ld = 16, 64
    values = draw(n, ld)
    left, result = card.alloc(values.nbytes), card.alloc(4 * n * ld)
    left.write(values)
    card.gemm(left.matrix("i8", n, n, ld), left.matrix("i8", n, n, ld), result.matrix("i32", n, n, ld))
    found = result.read(np.empty((n, ld), np.int32))
    assert np.array_equal(found[:, :n], product(values[:, :n], values[:, :n]))
    with result.mapped(np.int32, (n, ld)) as array:
        assert np.array_equal(array[:, :n], found[:, :n])
        print(refused(mattock.ArgumentError, result.mapped().__enter__))
        array[0, 0] = 12345
        del array
    assert result.read(np.empty((n, ld), np.int32))[0, 0] == 12345
    print(refused(mattock.ArgumentError, left.write, values, offset=1))
    print(refused(mattock.OutOfMemory, card.alloc, 1 << 60))


def sparse(card):
    for dtype in (np.int32, np.float32):
        a = scipy.sparse.random_array((40, 30), density=0.1, rng=rng, dtype=np.float64)
        a.data[:] = rng.integers(1, 9, a.nnz)
        a = a.astype(dtype)
        b = scipy.sparse.csc_array(a.T)
        c, expected = card.spgemm(a, b), a.tocsr() @ b.tocsr()
        assert c.dtype == dtype and abs(c - expected).nnz == 0 and c.nnz == expected.nnz
        assert card.last_stats["products"] > 0
        # The result's arrays are the library's, and outlive everything else.
        values = c.data
        total = values.sum()
        assert values.base is not None
        del c
        gc.collect()
        assert values.sum() == total
        x = rng.integers(-9, 9, (30, 3)).astype(dtype)
        assert np.array_equal(card.spmm(a, x), a @ x)
        y = np.ones(40, dtype)
        assert np.array_equal(card.spmv(a, x[:, 0], y, alpha=2, beta=-1), 2 * (a @ x[:, 0]) - 1)
    # Narrow values: sums are wide.
    a = scipy.sparse.random_array((40, 30), density=0.2, rng=rng, dtype=np.float64)
    for dtype in (np.int8, np.int16):
        a.data[:] = rng.integers(-128, 128, a.nnz)
        narrow = a.tocsr().astype(dtype)
        c, expected = card.spgemm(narrow, narrow.T), narrow.astype(np.int32) @ narrow.T.astype(np.int32)
        assert c.dtype == np.int32 and np.array_equal(c.toarray(), expected.toarray())
        x = rng.integers(-9, 9, (30, 2)).astype(dtype)
        assert np.array_equal(card.spmm(narrow, x), narrow.astype(np.int32) @ x.astype(np.int32))
    a.data[:] = rng.normal(size=a.nnz)
    real = a.tocsr().astype(np.float32)
    halves = real.copy()
    halves.data = real.data.astype(np.float16).astype(np.float32)
    c = card.spgemm(real, real.T, values="f16")
    assert c.dtype == np.float32 and np.allclose(c.toarray(), (halves @ halves.T).toarray(), rtol=1e-5, atol=1e-5)
    assert not np.allclose(c.toarray(), (real @ real.T).toarray(), rtol=1e-5, atol=1e-5)
    # Of one product each: exact.
    unit = scipy.sparse.csr_array(np.eye(30, dtype=np.float32))
    assert np.array_equal(card.spgemm(real, unit, values="f16").toarray(), halves.toarray())
    rounded = real.toarray().astype(ml_dtypes.bfloat16).astype(np.float32)
    assert np.array_equal(card.spgemm(real, unit, values="bf16").toarray(), rounded)
    print(refused(ValueError, card.spgemm, real, unit, values="f32"))
    print(refused(ValueError, card.spgemm, 1e6 * real, unit, values="f16"))
    print(refused(TypeError, card.spgemm, narrow, narrow.T, values="bf16"))
    # What takes the place of plus and times.
    ring = scipy.sparse.csr_array(np.roll(np.diag(np.arange(1, 6, dtype=np.int32)), 1, axis=1))
    steps = card.spgemm(ring, semiring="min_plus")
    assert steps.nnz == 5 and steps.data.tolist() == [3, 5, 7, 9, 6]
    assert card.spgemm(ring, semiring="plus_pair").data.tolist() == [1] * 5
    print(refused(ValueError, card.spgemm, ring, semiring="plus"))
    # Masks, against what SciPy leaves of the whole product.
    whole = (ring + ring.T).tocsr()
    full = whole @ whole
    mask = scipy.sparse.csr_array(np.array([[1, 0, 2, 0, 0]] * 5, np.int32))
    mask.data[::3] = 0
    for by_value in (False, True):
        where = mask.toarray() != 0 if by_value else np.array([[True, False, True, False, False]] * 5)
        for complement in (False, True):
            for typed in (mask, mask.astype(np.float32)):
                found = card.spgemm(whole, mask=typed, by_value=by_value, complement=complement)
                assert np.array_equal(found.toarray(), full.toarray() * (where != complement))
    # Onto a matrix, and without zeros.
    start = scipy.sparse.csr_array(np.eye(5, dtype=np.int32) * -full.toarray()[0, 0])
    summed = (full + start).toarray()
    assert np.array_equal(card.spgemm(whole, onto=start).toarray(), summed)
    pruned = card.spgemm(whole, onto=start, prune=True)
    assert np.array_equal(pruned.toarray(), summed) and pruned.nnz == np.count_nonzero(summed) < full.nnz
    found = card.spgemm(whole, onto=start, mask=mask, complement=True)
    assert np.array_equal(found.toarray(), summed * ~np.array([[True, False, True, False, False]] * 5))
    print(refused(mattock.ArgumentError, card.spgemm, whole, onto=start.astype(np.float32)))
    print(refused(mattock.ArgumentError, card.spgemm, whole, mask=mask[:3]))
    print(refused(ValueError, card.spgemm, whole, complement=True))
    empty = card.spgemm(scipy.sparse.csr_array((3, 4), dtype=np.int32), scipy.sparse.csr_array((4, 5), dtype=np.int32))
    assert empty.shape == (3, 5) and empty.nnz == 0
    # Duplicates and unsorted rows are put in order, not handed on.
    messy = scipy.sparse.csr_array((np.array([1, 2, 3], np.int32), [2, 0, 2], [0, 3, 3, 3]), shape=(3, 3))
    assert np.array_equal(card.spgemm(messy, messy.T).toarray(), (messy @ messy.T).toarray())
    print(refused(TypeError, card.spgemm, messy.astype(np.float64)))
    print(refused(TypeError, card.spgemm, messy.toarray()))
    print(refused(mattock.ArgumentError, card.spgemm, messy, scipy.sparse.csr_array((4, 4), dtype=np.int32)))


def quantized(card):
    """Weights as anybody may write them: columns of 4 and 8 bits, two groups, zero points, an outlier row."""
    k, n, group, row = 9, 5, 4, 2
    widths = np.array([8, 4, 4, 8, 4], np.uint8)
    codes = rng.integers(-8, 8, (k - 1, n))
    zeros = rng.integers(-3, 4, (2, n), dtype=np.int8)
    scales = rng.uniform(0.5, 2, (2, n)).astype(np.float32)
    weights = rng.normal(size=(1, n)).astype(np.float16)
    four = np.zeros((k - 1, 2), np.uint8)
    for i, column in enumerate(np.flatnonzero(widths == 4)):
        four[:, i // 2] |= ((codes[:, column] & 15) << 4 * (i % 2)).astype(np.uint8)
    arrays = {
        "mattock": np.array([1], np.uint32), "method": np.frombuffer(b"columns", np.uint8),
        "shape": np.array([k, n], np.uint64), "group": np.array([group], np.uint64), "widths": widths,
        "codes_4": four, "codes_8": codes[:, widths == 8].astype(np.int8).view(np.uint8), "scales": scales, "zeros": zeros,
        "outliers": np.array([row], np.uint32), "outlier_weights": weights,
    }  # fmt: skip
    # Whole numbers up to 127: they are their own codes.
    x = rng.integers(-126, 127, (3, k)).astype(np.float32)
    x[:, 0] = 127
    a = np.delete(x, row, 1).astype(np.int64)
    d = np.zeros((3, n), np.float32)
    for g, rows in enumerate((slice(0, 4), slice(4, 8))):
        d += (a[:, rows] @ (codes[rows] - zeros[g].astype(int))).astype(np.float32) * scales[g]
    d += x[:, [row]] * weights.astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "weights.npz")
        np.savez_compressed(path, **arrays)
        made = card.weights(path, rows=3)
        assert made.shape == (k, n)
        assert np.array_equal(card.gemm_quantized(x, made, outliers="host"), d)
        assert np.array_equal(card.gemm_quantized(x[1], made, outliers="host"), d[1])
        assert card.last_stats["commands"] == 2 and card.last_stats["cycles"] > card.last_stats["ideal_cycles"]
        print(refused(mattock.Unsupported, card.gemm_quantized, x, made).split("; it has")[0])
        print(refused(ValueError, card.gemm_quantized, x[:, 1:], made))
        print(refused(ValueError, card.gemm_quantized, x, made, outliers="gpu"))
        x[0, 0] = np.nan
        print(refused(mattock.Error, card.gemm_quantized, x, made, outliers="host"))
        arrays["outliers"] = np.array([k], np.uint32)
        np.savez(path, **arrays)
        print(refused(mattock.Error, card.weights, path).split("weights.npz: ")[1])
        path.write_bytes(path.read_bytes()[:-40])
        refused(mattock.Error, card.weights, path)


def main(url):
    with mattock.open(url, memory_budget=1 << 24) as card:
        assert "i8,i8,i32" in card.types and card.caps["gemm_rows"] == 8
        print(refused(mattock.Busy, mattock.open, url).split(" is ")[1])
        dense(card)
        events(card)
        sparse(card)
        quantized(card)
        kept = card.alloc(64)
    kept.write(np.arange(64, dtype=np.uint8))
    print(refused(mattock.ArgumentError, card.reset))
    print(refused(mattock.ArgumentError, mattock.open, "sim:small"))


if __name__ == "__main__":
    main(sys.argv[1])
