"""Dense and sparse matrix products on Mattock cards.

>>> import mattock, numpy
>>> with mattock.open("vfio-user:card.sock") as card:
...     a = numpy.arange(6, dtype=numpy.int8).reshape(2, 3)
...     card.gemm(a, a.T)
array([[ 5, 14],
       [14, 50]], dtype=int32)

Sparse matrices are SciPy's: ``card.spgemm(a)`` is ``a @ a``. Serve a simulated card with ``mattock serve``.
"""

from .card import Buffer, Card, Event, Matrix, Weights, open, pack
from .errors import (
    ArgumentError,
    Busy,
    DeviceFault,
    DeviceLost,
    Error,
    NotFound,
    OutOfMemory,
    Timeout,
    Unsupported,
)

__all__ = [
    "ArgumentError",
    "Buffer",
    "Busy",
    "Card",
    "DeviceFault",
    "DeviceLost",
    "Error",
    "Event",
    "Matrix",
    "NotFound",
    "OutOfMemory",
    "Timeout",
    "Unsupported",
    "Weights",
    "open",
    "pack",
]
