"""IDX files, the format of MNIST's original files."""

from __future__ import annotations

import gzip
import math
import os
import zlib
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

_GZIP_MAGIC = b"\x1f\x8b"
_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_CHUNK = 1 << 20  # bytes


def load_idx(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read an array from an IDX file, the format of MNIST's files, gzipped or not.

    An IDX file consists of two zero bytes, a code for the dtype, the number of dimensions, the
    dimensions as big-endian uint32, and the elements, big-endian and in C order. Whether the file
    is gzipped is decided by its first bytes, not by its name.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    array : ndarray
        The array, in the file's shape and dtype: uint8, int8, int16, int32, float32 or float64.
        It is in native byte order, C-contiguous and writable.

    Raises
    ------
    OSError
        If the file cannot be read, for instance FileNotFoundError if there is none.
    ValueError
        If it is not an IDX file, if it is damaged, or if its data are longer or shorter than its
        dimensions say. Data beyond the dimensions are not read or unpacked.

    References
    ----------
    Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits".

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from cymlp.datasets import load_idx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "labels-idx1-ubyte")
    ...     n_bytes = file.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3]) + bytes([5, 0, 4]))
    ...     load_idx(file)
    array([5, 0, 4], dtype=uint8)
    """
    shown = repr(os.fspath(path))
    with open(path, "rb") as file:
        gzipped = file.read(2) == _GZIP_MAGIC
        file.seek(0)
        if not gzipped:
            return _read_idx(file, shown)
        try:
            with gzip.open(file) as stream:
                return _read_idx(stream, shown)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{shown} is a damaged gzip file: {error}") from error


def _read_idx(stream: IO[bytes] | gzip.GzipFile, shown: str) -> NDArray[Any]:
    """Read an IDX file that is open at its beginning; ``shown`` names it in error messages."""
    dtype, shape = _read_header(stream, shown)
    n_bytes = math.prod(shape) * dtype.itemsize  # Python's ints do not overflow
    # Read in chunks, so that a wrong header cannot allocate the memory that it claims. Read up to
    # one byte beyond the data: at the end of a gzip file, that verifies its checksum; if there are
    # more data, one byte is enough to know, and the rest is not unpacked.
    data = bytearray()
    while chunk := stream.read(min(_CHUNK, n_bytes + 1 - len(data))):
        data += chunk
    if len(data) > n_bytes:
        raise ValueError(
            f"{shown} is longer than its shape {shape} and dtype {dtype.name} say: they make "
            f"{n_bytes} bytes of data."
        )
    if len(data) < n_bytes:
        raise ValueError(
            f"{shown} is cut short: its shape {shape} and dtype {dtype.name} make {n_bytes} bytes "
            f"of data, but it has {len(data)}."
        )
    try:
        array = np.frombuffer(data, dtype).reshape(shape)
    except ValueError as error:  # too many dimensions, or a huge shape that has a 0
        raise ValueError(f"{shown} has a shape that NumPy cannot hold, {shape}: {error}") from error
    return array.astype(dtype.newbyteorder("="), copy=False)


def _read_header(
    stream: IO[bytes] | gzip.GzipFile, shown: str
) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """The dtype, big-endian, and the shape."""
    magic = stream.read(4)
    if len(magic) < 4:
        raise ValueError(
            f"{shown} is not an IDX file: it should begin with a magic number of 4 bytes, but has "
            f"only {len(magic)}."
        )
    code, n_dimensions = magic[2], magic[3]
    if magic[:2] != b"\0\0":
        raise ValueError(
            f"{shown} is not an IDX file: it should begin with two zero bytes, but begins with "
            f"{magic[:2].hex(' ')}."
        )
    if code not in _DTYPES:
        known = ", ".join(f"0x{known:02X}" for known in _DTYPES)
        raise ValueError(
            f"{shown} is not an IDX file: its dtype has the code 0x{code:02X}, not one of {known}."
        )
    if n_dimensions < 1:
        raise ValueError(f"{shown} is not an IDX file: it has 0 dimensions.")
    header = stream.read(4 * n_dimensions)
    if len(header) < 4 * n_dimensions:
        raise ValueError(
            f"{shown} is cut short: its {n_dimensions} dimensions should take {4 * n_dimensions} "
            f"bytes, but only {len(header)} follow."
        )
    return np.dtype(_DTYPES[code]), tuple(np.frombuffer(header, ">u4").tolist())
