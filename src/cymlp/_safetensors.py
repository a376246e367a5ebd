"""Reading and writing of safetensors files: named arrays, and metadata of strings.

A file consists of eight bytes, the length of the header; the header, JSON that says where in the
data each array lies; and the data. https://github.com/huggingface/safetensors has the format.
"""

import contextlib
import errno
import json
import math
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from reprlib import repr as shown
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

Path = str | os.PathLike[str]

# Less than the format's 100 MB, as parsed JSON can take 25 times its size in memory.
_MAX_HEADER = 10_000_000
_MAX_BRACKETS = 200_000
_MAX_SIZE = 2**63 - 1
_ALIGNMENT = 64  # of the data in memory: a cache line

# The format's names of the dtypes that NumPy has.
_DTYPES = {
    "BOOL": np.dtype("bool"),
    **{f"{kind.upper()}{8 * n}": np.dtype(f"<{kind}{n}") for kind in "iu" for n in (1, 2, 4, 8)},
    **{f"F{8 * n}": np.dtype(f"<f{n}") for n in (2, 4, 8)},
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


def write(path: Path, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> None:
    """Write a file; should that fail, a file that was there before is still there.

    Parameters
    ----------
    path : str or path-like
    tensors : mapping of str to ndarray
        They are written in this order.
    metadata : mapping of str to str

    Raises
    ------
    OSError
        If the file cannot be written.
    ValueError
        If an array has a dtype that the format lacks, or the header would be too long.
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, tensor in tensors.items():
        dtype = _NAMES.get(tensor.dtype.newbyteorder("<"))
        if dtype is None or name == "__metadata__":
            raise ValueError(f"A safetensors file has no {tensor.dtype} array {name!r}.")
        start, end = end, end + tensor.nbytes
        header[name] = {"dtype": dtype, "shape": tensor.shape, "data_offsets": (start, end)}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > _MAX_HEADER:
        raise ValueError(f"the header has {len(text)} bytes, more than {_MAX_HEADER}")
    _check_brackets(text)
    with _replacing(os.fsdecode(path)) as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for tensor in tensors.values():
            little = tensor.astype(tensor.dtype.newbyteorder("<"), copy=False)
            file.write(np.ascontiguousarray(little).data)


def _check_brackets(text: bytes) -> None:
    """ValueError if the header has so many objects that parsing it would take much memory."""
    n_brackets = text.count(b"[") + text.count(b"{")
    if n_brackets > _MAX_BRACKETS:
        raise ValueError(f"the header has {n_brackets} brackets, more than {_MAX_BRACKETS}")


@contextlib.contextmanager
def _replacing(path: str) -> Iterator[BinaryIO]:
    """A new file that takes the place of ``path`` once it is complete and on the disk."""
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    temporary = os.path.join(folder, f".cymlp-{secrets.token_hex(8)}.tmp")
    try:
        mode = _mode_of_regular(target)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(temporary, flags, 0o666), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            os.chmod(temporary, mode)
        os.replace(temporary, target)
    except OSError as error:  # name the file that was asked for
        raise OSError(error.errno, error.strerror, path) from error
    finally:
        with contextlib.suppress(OSError):  # it is gone if all went well
            os.unlink(temporary)
    with contextlib.suppress(OSError):  # not every system opens folders
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _mode_of_regular(path: str) -> int | None:
    """The permissions of the file that would be replaced; None if there is none."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return None
    _check_regular(mode, path)
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, "The file is read-only", path)
    return stat.S_IMODE(mode)


def _check_regular(mode: int, path: str) -> None:
    """OSError unless this is the mode of a regular file."""
    if not stat.S_ISREG(mode):
        number = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
        raise OSError(number, "Not a regular file", path)


def read(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """The arrays and the metadata of a file.

    Returns
    -------
    tensors : dict of str to ndarray
        Views of one block of memory, in the order of the data.
    metadata : dict of str to str

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it breaks a rule of the format; the message has the path and the reason.
    """
    # Without O_NONBLOCK, opening a pipe would wait for somebody to write into it.
    flags = getattr(os, "O_NONBLOCK", 0)
    path = os.fsdecode(path)
    with open(path, "rb", opener=lambda name, mode: os.open(name, mode | flags)) as file:
        status = os.fstat(file.fileno())
        _check_regular(status.st_mode, path)
        try:
            return _read(file, status.st_size)
        except RecursionError:
            raise ValueError(f"{path}: the header is nested too deeply") from None
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error


def _read(file: BinaryIO, size: int) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > min(size - 8, _MAX_HEADER):
        raise ValueError(
            f"no safetensors file, or one with a header of more than {_MAX_HEADER} bytes: of its "
            f"{size} bytes, {length} would be the header"
        )
    text = file.read(length)
    _check_brackets(text)
    if not text.startswith(b"{"):
        raise ValueError("no safetensors file, as its header is not a JSON object")
    header = parse(text.decode())
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise ValueError("__metadata__ is not a mapping of strings to strings")
    entries = [(*_entry(name, entry), name) for name, entry in header.items()]
    entries.sort(key=lambda entry: entry[:2])
    end = 0
    for start, stop, _, _, name in entries:
        if start != end:
            raise ValueError(f"the data of {shown(name)} begin at {start}, not at {end}")
        end = stop
    if end != size - 8 - length:
        raise ValueError(f"the arrays have {end} bytes, and the file has {size - 8 - length}")
    data = _read_data(file, end)
    tensors = {}
    for start, stop, dtype, shape, name in entries:
        part = data[start:stop]
        if dtype.kind == "b" and (part > 1).any():
            raise ValueError(f"{shown(name)} has bytes that are neither true nor false")
        tensors[name] = part.view(dtype).reshape(shape)
    return tensors, metadata


def parse(text: str) -> Any:
    """Strict JSON: ValueError if a name occurs twice in an object, or for NaN and infinity."""
    return json.loads(text, object_pairs_hook=_unique, parse_constant=_not_json)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a name occurs twice in a JSON object")
    return content


def _not_json(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _entry(name: str, entry: Any) -> tuple[int, int, np.dtype[Any], list[int]]:
    """Start and end of an array's data, its dtype and its shape."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"the entry of {shown(name)} is not dtype, shape and data_offsets")
    dtype = _DTYPES.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
    if dtype is None:
        raise ValueError(f"{shown(name)} has the unknown dtype {shown(entry['dtype'])}")
    shape, offsets = entry["shape"], entry["data_offsets"]
    for numbers in (shape, offsets):
        if not isinstance(numbers, list) or not (
            len(numbers) <= 32 and all(type(n) is int and 0 <= n <= _MAX_SIZE for n in numbers)
        ):
            raise ValueError(f"shape or data_offsets of {shown(name)} are {shown(numbers)}")
    if math.prod(n or 1 for n in shape) * dtype.itemsize > _MAX_SIZE:
        raise ValueError(f"the shape {shown(shape)} of {shown(name)} is too large")
    size = math.prod(shape) * dtype.itemsize
    if len(offsets) != 2 or offsets[1] - offsets[0] != size:
        raise ValueError(
            f"{shown(name)} needs {size} bytes, but its data_offsets are {shown(offsets)}"
        )
    return offsets[0], offsets[1], dtype, shape


def _read_data(file: BinaryIO, size: int) -> NDArray[np.uint8]:
    """The next ``size`` bytes, aligned in memory."""
    memory = np.empty(size + _ALIGNMENT, dtype=np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    data = memory[start : start + size]
    done = 0
    while done < size:
        n = file.readinto(data[done:].data)  # type: ignore[attr-defined]
        if not n:
            raise ValueError(f"the file ended after {done} of {size} bytes of data")
        done += n
    return data
