"""What can go wrong, one class for each status of mattock.h that a program may want to catch."""


class Error(Exception):
    """A call failed; ``status`` is that of mattock.h."""

    status = 0


class ArgumentError(Error, ValueError):
    """An argument makes no sense."""


class Unsupported(Error):
    """The card was not built for this; the message lists what it has."""


class NotFound(Error):
    """There is no such card."""


class Busy(Error):
    """Another process has the card."""


class OutOfMemory(Error, MemoryError):
    """Card memory does not suffice; results are untouched."""


class Timeout(Error, TimeoutError):
    """The card did not finish in time; it has been reset."""


class DeviceLost(Error):
    """The card no longer answers."""


class DeviceFault(Error):
    """The card refused a command or gave it up."""


_CLASSES = {
    1: ArgumentError,
    2: Unsupported,
    3: NotFound,
    4: Busy,
    7: OutOfMemory,
    8: Timeout,
    9: DeviceLost,
    10: DeviceFault,
    11: ArgumentError,
}


def of(status, message):
    """The exception of a status."""
    error = _CLASSES.get(status, Error)(message)
    error.status = status
    return error
