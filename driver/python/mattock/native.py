"""libmattock and the structures of mattock.h. ctypes releases the interpreter lock during every call."""

import ctypes
import os
import pathlib
from ctypes import POINTER, Structure, byref, c_char, c_char_p, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p

from . import errors

ROW_MAJOR, COL_MAJOR = 101, 102
NO_TRANS, TRANS = 111, 112
MASK_COMPLEMENT, MASK_BY_VALUE, PRUNE = 1, 2, 4
ABI_VERSION = 1


class Sized(Structure):
    """A structure that begins with its size."""

    def __init__(self, **fields):
        super().__init__(struct_size=ctypes.sizeof(self), **fields)


class Options(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("queue", c_uint32),
        ("timeout_ms", c_uint64),
        ("memory_budget", c_uint64),
    ]


class Caps(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("clock_khz", c_uint32),
        ("gemm_rows", c_uint32),
        ("gemm_cols", c_uint32),
        ("gemm_align", c_uint32),
        ("spgemm_clusters", c_uint32),
        ("spgemm_lanes", c_uint32),
    ]


class Matrix(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("order", c_int32),
        ("trans", c_int32),
        ("type_name", c_char * 8),
        ("rows", c_int64),
        ("cols", c_int64),
        ("ld", c_int64),
        ("data", c_void_p),
        ("buffer", c_void_p),
        ("offset", c_uint64),
    ]


class GemmOptions(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("resident", c_int32),
        ("chunked", c_int32),
        ("rounding", c_int32),
        ("saturate", c_int32),
    ]


class GemmStats(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("commands", c_uint64),
        ("cycles", c_uint64),
        ("compute_cycles", c_uint64),
        ("macs", c_uint64),
        ("dram_bytes", c_uint64),
        ("host_elements", c_uint64),
    ]


class Csr(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("value_type", c_int32),
        ("rows", c_int64),
        ("cols", c_int64),
        ("nnz", c_int64),
        ("row_ptr", c_void_p),
        ("columns", c_void_p),
        ("values", c_void_p),
    ]


class SpgemmOptions(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("chunked", c_int32),
        ("semiring", c_int32),
        ("ordered", c_int32),
        ("memory_budget", c_uint64),
    ]


class SpgemmStats(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("commands", c_uint64),
        ("cycles", c_uint64),
        ("products", c_uint64),
        ("windows", c_uint64),
        ("spills", c_uint64),
        ("hazard_stalls", c_uint64),
        ("dram_bytes", c_uint64),
        ("host_elements", c_uint64),
    ]


class QuantizedStats(Sized):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("commands", c_uint64),
        ("cycles", c_uint64),
        ("ideal_cycles", c_uint64),
        ("dram_bytes", c_uint64),
        ("outlier_cycles", c_uint64),
        ("outlier_ideal_cycles", c_uint64),
    ]


def counters(stats):
    """A structure of counters as a dictionary."""
    return {name: getattr(stats, name) for name, _ in stats._fields_ if name not in ("struct_size", "reserved")}


_handle = POINTER(c_void_p)
_CALLS = {
    "mattock_open": [c_char_p, POINTER(Options), _handle],
    "mattock_caps": [c_void_p, POINTER(Caps)],
    "mattock_reset": [c_void_p],
    "mattock_alloc": [c_void_p, c_size_t, _handle],
    "mattock_write": [c_void_p, c_size_t, c_void_p, c_size_t],
    "mattock_read": [c_void_p, c_size_t, c_void_p, c_size_t],
    "mattock_gemm": [c_void_p, POINTER(GemmOptions), c_void_p, POINTER(Matrix), POINTER(Matrix), c_void_p,
                     POINTER(Matrix), _handle],
    "mattock_gemm_batched": [c_void_p, POINTER(GemmOptions), c_void_p, POINTER(POINTER(Matrix)),
                             POINTER(POINTER(Matrix)), c_void_p, POINTER(POINTER(Matrix)), c_int64, _handle],
    "mattock_buffer_map": [c_void_p, _handle],
    "mattock_buffer_unmap": [c_void_p],
    "mattock_event_fd": [c_void_p, POINTER(c_int32)],
    "mattock_event_wait": [c_void_p, POINTER(GemmStats)],
    "mattock_event_query": [c_void_p, c_uint64, POINTER(c_int32)],
    "mattock_spgemm": [c_void_p, POINTER(SpgemmOptions), POINTER(Csr), POINTER(Csr), _handle],
    "mattock_spgemm_masked": [c_void_p, POINTER(SpgemmOptions), POINTER(Csr), POINTER(Csr), POINTER(Csr), c_int32,
                              _handle],
    "mattock_spgemm_onto": [c_void_p, POINTER(SpgemmOptions), POINTER(Csr), POINTER(Csr), POINTER(Csr), c_int32,
                            POINTER(Csr), _handle],
    "mattock_product_csr": [c_void_p, POINTER(Csr), POINTER(SpgemmStats)],
    "mattock_spmm": [c_void_p, POINTER(SpgemmOptions), c_void_p, POINTER(Csr), POINTER(Matrix), c_void_p,
                     POINTER(Matrix), POINTER(SpgemmStats)],
    "mattock_weights_open": [c_void_p, c_char_p, c_int64, _handle],
    "mattock_weights_shape": [c_void_p, POINTER(c_int64), POINTER(c_int64)],
    "mattock_gemm_quantized": [c_void_p, c_void_p, c_int64, c_void_p, c_void_p, c_void_p, POINTER(QuantizedStats)],
}
_FREES = ["mattock_close", "mattock_free", "mattock_event_free", "mattock_product_free", "mattock_weights_free"]


def _load():
    path = os.environ.get("MATTOCK_LIBRARY") or pathlib.Path(__file__).with_name("libmattock.so")
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise ImportError(f"{error}; `pip install driver/python` builds it, or set MATTOCK_LIBRARY") from None
    version = library.mattock_abi_version()
    if version != ABI_VERSION:
        raise ImportError(f"{path} has interface {version}, this package needs {ABI_VERSION}")
    for name, arguments in _CALLS.items():
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, c_int32
    for name in _FREES:
        function = getattr(library, name)
        function.argtypes, function.restype = [c_void_p], None
    for name, arguments in (("mattock_last_error", [c_char_p, c_size_t]), ("mattock_types", [c_void_p, c_char_p, c_size_t]),
                            ("mattock_semiring_name", [c_int32, c_char_p, c_size_t])):
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, c_size_t
    return library


lib = _load()


def text(call, *arguments):
    """A text that the library copies into a buffer of any size."""
    buffer = ctypes.create_string_buffer(max(1, call(*arguments, None, 0)))
    call(*arguments, buffer, len(buffer))
    return buffer.value.decode()


def check(status):
    """Raises the exception of a status that is not 0."""
    if status:
        raise errors.of(status, text(lib.mattock_last_error))


def handle(call, *arguments):
    """A new handle, the last argument of the call."""
    made = c_void_p()
    check(call(*arguments, byref(made)))
    return made


def semirings():
    """Names of the semirings the library knows, in the order of their numbers."""
    names = []
    while name := text(lib.mattock_semiring_name, len(names)):
        names.append(name.replace("-", "_"))
    return names


#: Every structure of mattock.h that this module describes, by its name there; a test compares them.
STRUCTURES = {
    "MattockOptions": Options, "MattockCaps": Caps, "MattockMatrix": Matrix, "MattockGemmOptions": GemmOptions,
    "MattockGemmStats": GemmStats, "MattockCsr": Csr, "MattockSpgemmOptions": SpgemmOptions,
    "MattockSpgemmStats": SpgemmStats, "MattockQuantizedStats": QuantizedStats,
}  # fmt: skip
