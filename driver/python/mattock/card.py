"""Cards, buffers, events; NumPy arrays and scipy.sparse matrices in and out."""

import contextlib
import ctypes
import os
import weakref

import numpy as np

from . import native
from .native import byref, check, lib

#: Formats of the element types that NumPy, and ml_dtypes beside it, know by name.
_FORMATS = {
    "int8": "i8", "uint8": "u8", "int16": "i16", "uint16": "u16", "int32": "i32", "float16": "f16", "float32": "f32",
    "bfloat16": "bf16", "float8_e4m3fn": "e4m3", "float8_e5m2": "e5m2", "float6_e2m3fn": "e2m3", "float6_e3m2fn": "e3m2",
    "float4_e2m1fn": "e2m1", "int4": "i4", "uint4": "u4", "int2": "i2", "uint2": "u2",
}  # fmt: skip
#: Those of less than a byte, and their bits.
_NARROW = {"i4": 4, "u4": 4, "i2": 2, "u2": 2, "e2m1": 4}
_RESULTS = {"i32": np.int32, "f32": np.float32}
#: Formats of sparse values, in the order of their numbers, and those they are computed in.
_VALUES = {"i32": "i32", "f32": "f32", "i16": "i32", "f16": "f32", "i8": "i32", "bf16": "f32"}
_ROUNDING = ["rne", "rz", "ru", "rd", "rna"]
_SEMIRINGS = native.semirings()


def open(url, timeout=None, memory_budget=None):
    """Opens the card of a URL: ``pci:0000:03:00.0``, ``vfio-user:card.sock``, ``uart:/dev/ttyUSB1?baud=3000000``.

    ``timeout``: most seconds a command may take; ``memory_budget``: most bytes of card memory.
    """
    return Card(url, timeout, memory_budget)


class Matrix:
    """A packed matrix of a format NumPy has no type for, made by :func:`pack`: ``ld`` elements from row to row."""

    def __init__(self, data, format, rows, cols, ld):
        self.data, self.format, self.shape, self.ld = data, format, (rows, cols), ld


def pack(values, format):
    """Packs whole numbers, a matrix of any integer type, as ``"i1"`` to ``"i8"`` or ``"u1"`` to ``"u8"``; rows begin on bytes."""
    values = np.asarray(values)
    kind, bits = format[:1], int(format[1:]) if format[1:].isdigit() else 0
    if kind not in ("i", "u") or not 1 <= bits <= 8:
        raise ValueError(f"format is {format!r}, must be i1 to i8 or u1 to u8")
    if values.ndim != 2 or values.dtype.kind not in "iu":
        raise TypeError(f"values are {values.ndim}-dimensional of {values.dtype}, must be a matrix of whole numbers")
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if kind == "i" else (0, (1 << bits) - 1)
    if values.size and (values.min() < low or values.max() > high):
        raise ValueError(f"values from {values.min()} to {values.max()}, {format} holds {low} to {high}")
    return _packed(values.astype(np.int16), format, bits)


def _packed(codes, format, bits):
    """Codes, one a matrix element, in as many bits as they take in memory."""
    storage = 1 << (bits - 1).bit_length()
    per_byte = 8 // storage
    rows, cols = codes.shape
    ld = -(-cols // per_byte) * per_byte
    wide = np.zeros((rows, ld), np.uint8)
    wide[:, :cols] = codes.astype(np.int16) & (1 << storage) - 1
    shifts = np.arange(per_byte, dtype=np.uint8) * storage
    data = np.bitwise_or.reduce(wide.reshape(rows, -1, per_byte) << shifts, axis=2, dtype=np.uint8)
    return Matrix(np.ascontiguousarray(data), format, rows, cols, ld)


class Buffer:
    """Card memory that arrays are copied to and from, and that stays there from call to call."""

    def __init__(self, card, nbytes):
        self._card, self.nbytes = card, nbytes
        self._handle = native.handle(lib.mattock_alloc, card._handle, nbytes)
        self._end = weakref.finalize(self, lib.mattock_free, self._handle)

    def write(self, array, offset=0):
        """Copies an array to the card."""
        array = np.ascontiguousarray(array)
        check(lib.mattock_write(self._handle, offset, array.ctypes.data, array.nbytes))

    def read(self, out, offset=0):
        """Copies from the card into a contiguous array, and gives it."""
        if not out.flags.c_contiguous or not out.flags.writeable:
            raise ValueError("the array must be contiguous and writable")
        check(lib.mattock_read(self._handle, offset, out.ctypes.data, out.nbytes))
        return out

    @contextlib.contextmanager
    def mapped(self, dtype=np.uint8, shape=-1):
        """The memory as an array within a ``with``: where it lies, when the card's memory is that of this machine, else a copy
        that is written back at the end. No call may use the buffer, and nobody the array after the end, meanwhile."""
        data = native.handle(lib.mattock_buffer_map, self._handle)
        try:
            raw = (ctypes.c_char * self.nbytes).from_address(data.value)
            raw.buffer = self
            yield np.frombuffer(raw, dtype, self.nbytes // np.dtype(dtype).itemsize).reshape(shape)
        finally:
            check(lib.mattock_buffer_unmap(self._handle))

    def matrix(self, format, rows, cols, ld=0, order="row", offset=0):
        """A matrix in this memory, for :meth:`Card.gemm`; see ``gemm_align`` of :attr:`Card.caps` for ``ld``."""
        return _Described(
            native.Matrix(
                order={"row": native.ROW_MAJOR, "column": native.COL_MAJOR}[order],
                type_name=format.encode(), rows=rows, cols=cols, ld=ld, buffer=self._handle, offset=offset,
            ),
            format, (rows, cols), self,
        )  # fmt: skip


class Weights:
    """Quantised weights in card memory, made by :meth:`Card.weights`."""

    def __init__(self, card, path, rows):
        self._card = card
        self._handle = native.handle(lib.mattock_weights_open, card._handle, os.fsencode(path), rows)
        self._end = weakref.finalize(self, lib.mattock_weights_free, self._handle)
        sizes = ctypes.c_int64(), ctypes.c_int64()
        check(lib.mattock_weights_shape(self._handle, byref(sizes[0]), byref(sizes[1])))
        #: Inputs and outputs.
        self.shape = tuple(size.value for size in sizes)


class _Described:
    """A matrix as the library wants it, and what must live as long."""

    def __init__(self, matrix, format, shape, keep):
        self.matrix, self.format, self.shape, self.keep = matrix, format, shape, keep


def _described(name, array):
    """An operand: an array where it lies when its layout allows, else a copy."""
    if isinstance(array, _Described):
        return array
    if isinstance(array, Matrix):
        matrix = native.Matrix(
            order=native.ROW_MAJOR, type_name=array.format.encode(), rows=array.shape[0], cols=array.shape[1],
            ld=array.ld, data=array.data.ctypes.data,
        )  # fmt: skip
        return _Described(matrix, array.format, array.shape, array)
    array = np.asarray(array)
    format = _FORMATS.get(array.dtype.name)
    if format is None:
        raise TypeError(f"{name} is of {array.dtype}, must be one of {', '.join(_FORMATS)}: convert it with astype")
    if array.ndim == 1:
        array = array[:, np.newaxis]
    if array.ndim != 2:
        raise ValueError(f"{name} has {array.ndim} dimensions, must have 1 or 2")
    if format in _NARROW:
        # ml_dtypes has them in a byte each.
        return _described(name, _packed(array.view(np.uint8), format, _NARROW[format]))
    order, ld = _lines(array)
    if ld is None:
        array = np.ascontiguousarray(array)
        order, ld = _lines(array)
    matrix = native.Matrix(
        order=order, type_name=format.encode(), rows=array.shape[0], cols=array.shape[1], ld=ld, data=array.ctypes.data
    )
    return _Described(matrix, format, array.shape, array)


def _lines(array):
    """Order and distance of lines of an array that BLAS can take as it lies; no distance when it cannot."""
    size = array.itemsize
    rows, cols = array.shape
    for order, (apart, near), (count, length) in (
        (native.ROW_MAJOR, array.strides, (rows, cols)),
        (native.COL_MAJOR, array.strides[::-1], (cols, rows)),
    ):
        together = length <= 1 or near == size
        if together and (count <= 1 or apart >= length * size and apart % size == 0):
            return order, (apart // size if count > 1 else max(length, 1))
    return native.ROW_MAJOR, None


class Event:
    """A product under way. :meth:`wait` gives the result; losing the event waits too."""

    def __init__(self, handle, card, result, keep):
        self._handle, self._card, self._result, self._keep = handle, card, result, keep
        self._end = weakref.finalize(self, lib.mattock_event_free, handle)
        #: Counters of the card, after :meth:`wait`.
        self.stats = None

    def query(self, seconds=0):
        """Whether the product is over, well or not, after at most so many seconds."""
        if not self._end.alive:
            return True
        over = ctypes.c_int32()
        check(lib.mattock_event_query(self._handle, int(seconds * 1000), byref(over)))
        return bool(over.value)

    def fileno(self):
        """A file descriptor that is readable when the product is over, for ``select``, ``selectors`` and ``asyncio``'s
        ``add_reader``; the event closes it. Nothing is to be read from it."""
        if not self._end.alive:
            raise ValueError("the event was waited for")
        number = ctypes.c_int32()
        check(lib.mattock_event_fd(self._handle, byref(number)))
        return number.value

    def wait(self):
        """Waits for the end and gives C, or the list of them."""
        if self._end.detach():
            stats = native.GemmStats()
            check(lib.mattock_event_wait(self._handle, byref(stats)))
            self.stats = self._card.last_stats = native.counters(stats)
            self._keep = None
        return self._result


class Card:
    """An open card. Threads may share it; ``with`` closes it at its end."""

    def __init__(self, url, timeout=None, memory_budget=None):
        options = native.Options(timeout_ms=int((timeout or 0) * 1000), memory_budget=memory_budget or 0)
        self._handle = native.handle(lib.mattock_open, str(url).encode(), byref(options))
        self._end = weakref.finalize(self, lib.mattock_close, self._handle)
        #: Counters of the last call that has ended.
        self.last_stats = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Closes the card; what is left of its buffers and events keeps it open until that is gone."""
        self._end()
        self._handle = None

    @property
    def types(self):
        """Types of dense products, ``"A,B,C"``."""
        return native.text(lib.mattock_types, self._handle).split()

    @property
    def caps(self):
        """What the card was built with."""
        caps = native.Caps()
        check(lib.mattock_caps(self._handle, byref(caps)))
        return native.counters(caps)

    def reset(self):
        """Ends whatever runs on the card."""
        check(lib.mattock_reset(self._handle))

    def alloc(self, nbytes):
        """Card memory."""
        return Buffer(self, nbytes)

    def gemm(self, a, b, c=None, alpha=1, beta=0, *, rounding="rne", saturate=False, resident=False, chunked=False,
             wait=True):  # fmt: skip
        """``alpha * a @ b + beta * c`` by the rules of BLAS.

        Arrays go to the card from where they lie, transposed views too; those with other gaps are copied first. ``int4`` and other
        narrow types of ml_dtypes are packed. The result is ``int32``, or ``float32`` for floats; it is written to ``c`` when that is
        given. With ``wait=False`` the result is an :class:`Event`.
        """
        left, right = _described("a", a), _described("b", b)
        c, to = _target(c, left, right, beta)
        scalar = ctypes.c_int32 if to.format == "i32" else ctypes.c_float
        alpha, beta = scalar(alpha), scalar(beta)
        options = native.GemmOptions(
            resident=resident, chunked=chunked, rounding=_choice("rounding", rounding, _ROUNDING), saturate=saturate
        )
        made = native.handle(
            lib.mattock_gemm, self._handle, byref(options), byref(alpha), byref(left.matrix), byref(right.matrix),
            byref(beta), byref(to.matrix),
        )  # fmt: skip
        event = Event(made, self, c, (left, right, to))
        return event.wait() if wait else event

    def gemm_batched(self, a, b, c=None, alpha=1, beta=0, *, wait=True, rounding="rne", chunked=False, resident=False,
                     saturate=False):  # fmt: skip
        """:meth:`gemm` for each pair of two lists, whose shapes may differ, and for the list ``c`` when it is given; a list of
        results. Nothing starts unless all of them are right."""
        a, b = list(a), list(b)
        c = [None] * len(a) if c is None else list(c)
        if not len(a) == len(b) == len(c):
            raise ValueError(f"a has {len(a)} matrices, b {len(b)}, c {len(c)}")
        lefts = [_described(f"a[{i}]", m) for i, m in enumerate(a)]
        rights = [_described(f"b[{i}]", m) for i, m in enumerate(b)]
        targets = [_target(*three, beta) for three in zip(c, lefts, rights)]
        tos = [to for _, to in targets]
        scalar = ctypes.c_int32 if all(to.format == "i32" for to in tos) else ctypes.c_float
        alpha, beta = scalar(alpha), scalar(beta)
        options = native.GemmOptions(
            resident=resident, chunked=chunked, rounding=_choice("rounding", rounding, _ROUNDING), saturate=saturate
        )
        pointers = [
            (ctypes.POINTER(native.Matrix) * len(a))(*(ctypes.pointer(m.matrix) for m in matrices))
            for matrices in (lefts, rights, tos)
        ]
        made = native.handle(
            lib.mattock_gemm_batched, self._handle, byref(options), byref(alpha), pointers[0], pointers[1],
            byref(beta), pointers[2], len(a),
        )  # fmt: skip
        event = Event(made, self, [result for result, _ in targets], (lefts, rights, tos))
        return event.wait() if wait else event

    def weights(self, path, rows=1):
        """Quantised weights of a file of ``mattock quantize`` in card memory, laid out for products with so many rows."""
        return Weights(self, path, rows)

    def gemm_quantized(self, x, weights, outliers="same"):
        """``x @ weights`` in ``float32``: a matrix of activations, or one row as a vector, by :meth:`weights`.

        ``outliers`` is who multiplies the rows that are kept in binary16: ``"same"`` card, ``"host"``, or another card. The counters
        are :attr:`last_stats`."""
        x = np.ascontiguousarray(x, np.float32)
        if x.ndim not in (1, 2) or x.shape[-1] != weights.shape[0]:
            raise ValueError(f"x is of {x.shape}, must be of rows of {weights.shape[0]}")
        if not isinstance(outliers, Card) and outliers not in ("same", "host"):
            raise ValueError(f"outliers is {outliers!r}, must be same, host or a card")
        beside = {"same": self, "host": None}.get(outliers) if isinstance(outliers, str) else outliers
        d = np.empty(x.shape[:-1] + weights.shape[1:], np.float32)
        stats = native.QuantizedStats()
        check(lib.mattock_gemm_quantized(
            self._handle, x.ctypes.data, x.size // weights.shape[0], weights._handle, beside and beside._handle,
            d.ctypes.data, byref(stats),
        ))  # fmt: skip
        self.last_stats = native.counters(stats)
        return d

    def gemv(self, a, x, y=None, alpha=1, beta=0, **options):
        """``alpha * a @ x + beta * y`` with vectors."""
        x = np.asarray(x)
        if x.ndim != 1 or y is not None and y.ndim != 1:
            raise ValueError("x and y must be vectors")
        out = self.gemm(a, x, None if y is None else y[:, np.newaxis], alpha, beta, **options)
        return out if isinstance(out, Event) else out[:, 0]

    def spgemm(self, a, b=None, *, chunked=True, semiring="plus_times", ordered=False, memory_budget=0, mask=None,
               complement=False, by_value=False, onto=None, prune=False, values=None):  # fmt: skip
        """``a @ b`` of scipy.sparse matrices with values of ``float32``, ``int32``, ``int16`` or ``int8``, ``a @ a`` without ``b``;
        a ``csr_array`` of ``float32`` or ``int32`` whose values and columns lie where the library has put them.

        With ``ordered`` the products of each entry are added in the order of ``a``'s columns: sums of ``float32`` have the same bits on
        every card that was built for it, and others refuse.

        ``values`` is ``"f16"`` or ``"bf16"`` to round the values of ``float32`` matrices to these first, which SciPy has no
        matrices of; ``"bf16"`` needs ml_dtypes.

        With ``mask``, a matrix of the product's shape, only entries where it has one; with ``by_value`` one that is not zero, and
        with ``complement`` where it has none.

        The products are added to ``onto``, a matrix of the product's shape with values of its type, ``int32`` or ``float32``; with
        ``ordered`` each sum begins with it. ``prune`` leaves out entries that are zero."""
        left = _csr("a", a, values)
        right = left if b is None else _csr("b", b, values)
        options = native.SpgemmOptions(
            chunked=chunked, semiring=_choice("semiring", semiring, _SEMIRINGS), ordered=ordered,
            memory_budget=memory_budget,
        )  # fmt: skip
        pair = byref(options), byref(left.matrix), byref(right.matrix)
        if mask is None and (complement or by_value):
            raise ValueError("complement and by_value are about a mask, and there is none")
        wanted = None if mask is None else _csr("mask", mask)
        start = None if onto is None else _csr("onto", onto)
        flags = complement * native.MASK_COMPLEMENT | by_value * native.MASK_BY_VALUE | prune * native.PRUNE
        joined = [None if matrix is None else byref(matrix.matrix) for matrix in (wanted, start)]
        made = native.handle(lib.mattock_spgemm_onto, self._handle, *pair, joined[0], flags, joined[1])
        product = _Product(made)
        self.last_stats = product.stats
        return product.csr()

    def spmm(self, a, x, y=None, alpha=1, beta=0, **options):
        """``alpha * a @ x + beta * y`` of a scipy.sparse matrix and a dense matrix or vector of the same type of values; y is of
        ``int32``, or ``float32`` for floats."""
        left, x = _csr("a", a), np.asarray(x)
        if y is None:
            if beta:
                raise ValueError(f"beta is {beta} and there is no y")
            y = np.empty((left.shape[0],) + x.shape[1:], _RESULTS[_VALUES[left.format]])
        right, to = _described("x", x), _described("y", y)
        if to.matrix.data != y.ctypes.data or not y.flags.writeable:
            raise ValueError("y must be writable, with rows or columns that lie together")
        scalar = ctypes.c_int32 if _VALUES[left.format] == "i32" else ctypes.c_float
        alpha, beta = scalar(alpha), scalar(beta)
        stats = native.SpgemmStats()
        check(lib.mattock_spmm(
            self._handle, byref(native.SpgemmOptions(chunked=True, **options)), byref(alpha), byref(left.matrix),
            byref(right.matrix), byref(beta), byref(to.matrix), byref(stats),
        ))  # fmt: skip
        self.last_stats = native.counters(stats)
        return y

    spmv = spmm


def _target(c, left, right, beta):
    """Where a product goes, made when it is not given, and how the library is told."""
    if c is None:
        if beta:
            raise ValueError(f"beta is {beta} and there is no c")
        kind = "i32" if left.format[0] in "iub" and left.format != "bf16" else "f32"
        c = np.empty((left.shape[0], right.shape[1]), _RESULTS[kind])
    to = _described("c", c)
    if isinstance(c, np.ndarray) and (not c.flags.writeable or to.matrix.data != c.ctypes.data):
        raise ValueError("c must be writable, with rows or columns that lie together")
    return c, to


def _choice(name, value, known):
    if value not in known:
        raise ValueError(f"{name} is {value!r}, must be one of {', '.join(known)}")
    return known.index(value)


def _rounded(name, values, format):
    """Values of ``float32`` rounded to ``"f16"`` or ``"bf16"``."""
    if format not in ("f16", "bf16"):
        raise ValueError(f"values is {format!r}, must be f16 or bf16; integers are asked for by the type of the matrix")
    if values.dtype != np.float32:
        raise TypeError(f"{name} has values of {values.dtype}, must be float32 to be rounded: convert it with astype")
    if format == "f16":
        narrow = np.float16
    else:
        from ml_dtypes import bfloat16 as narrow
    with np.errstate(over="ignore"):
        rounded = values.astype(narrow)
    if (np.isinf(rounded.astype(np.float32)) & np.isfinite(values)).any():
        raise ValueError(f"{name} has values that {format} cannot reach")
    return rounded


def _csr(name, matrix, values=None):
    """A scipy.sparse matrix: its columns and values where they lie, its row pointers as 64-bit numbers."""
    import scipy.sparse

    if not scipy.sparse.issparse(matrix):
        raise TypeError(f"{name} is a {type(matrix).__name__}, must be a matrix of scipy.sparse")
    matrix = matrix.tocsr()
    if matrix.dtype not in (np.float32, np.int32, np.int16, np.int8):
        raise TypeError(
            f"{name} has values of {matrix.dtype}, must be float32, int32, int16 or int8: convert it with astype"
        )
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    rows, cols = matrix.shape
    pointers = matrix.indptr.astype(np.uint64)
    columns = np.ascontiguousarray(matrix.indices)
    columns = columns.view(np.uint32) if columns.dtype == np.int32 else columns.astype(np.uint32)
    data = np.ascontiguousarray(matrix.data)
    values = data if values is None else _rounded(name, data, values)
    format = _FORMATS[values.dtype.name]
    csr = native.Csr(
        value_type=list(_VALUES).index(format), rows=rows, cols=cols, nnz=len(values), row_ptr=pointers.ctypes.data,
        columns=columns.ctypes.data, values=values.ctypes.data,
    )  # fmt: skip
    return _Described(csr, format, (rows, cols), (pointers, columns, values))


class _Product:
    """A sparse result; its arrays live as long as NumPy looks at them."""

    def __init__(self, handle):
        self._end = weakref.finalize(self, lib.mattock_product_free, handle)
        self._csr, stats = native.Csr(), native.SpgemmStats()
        check(lib.mattock_product_csr(handle, byref(self._csr), byref(stats)))
        self.stats = native.counters(stats)

    def _array(self, address, length, dtype):
        if length == 0:
            return np.empty(0, dtype)
        raw = (ctypes.c_char * (length * np.dtype(dtype).itemsize)).from_address(address)
        # The array keeps `raw`, and that keeps the product.
        raw.product = self
        return np.frombuffer(raw, dtype)

    def csr(self):
        import scipy.sparse

        csr = self._csr
        values = self._array(csr.values, csr.nnz, np.int32 if csr.value_type == 0 else np.float32)
        columns = self._array(csr.columns, csr.nnz, np.uint32)
        pointers = self._array(csr.row_ptr, csr.rows + 1, np.uint64)
        # SciPy wants one signed type for both; 32 bits fit unless C is huge.
        narrow = max(csr.nnz, csr.cols) < 1 << 31
        columns = columns.view(np.int32) if narrow else columns.astype(np.int64)
        pointers = pointers.astype(np.int32 if narrow else np.int64)
        make = getattr(scipy.sparse, "csr_array", scipy.sparse.csr_matrix)
        made = make((values, columns, pointers), shape=(csr.rows, csr.cols), copy=False)
        made.has_canonical_format = True
        return made
