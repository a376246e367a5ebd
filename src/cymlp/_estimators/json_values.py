"""Values of parameters and fitted attributes as strict JSON, and back, without running code.

None, bools, ints, finite floats, strings and lists are themselves. Everything else is an object
with one key, which says what it is: ``{"tuple": [1, 2]}``.
"""

import math
from collections.abc import Callable
from dataclasses import fields
from numbers import Integral, Real
from reprlib import repr as shown
from typing import Any

import numpy as np
from numpy.typing import NDArray

_NOT_FINITE = ("inf", "-inf", "nan")

# For each kind of array, the Python type of its values.
_VALUE_TYPES = {"b": (bool,), "i": (int,), "u": (int,), "f": (int, float), "U": (str,)}
_VALUE_TYPES["O"] = (bool, int, float, str)

_NUMBERS = [f"{kind}{8 * size}" for kind in ("int", "uint") for size in (1, 2, 4, 8)]
_DTYPES = {name: np.dtype(name) for name in ["bool", *_NUMBERS, "float16", "float32", "float64"]}
_DTYPES |= {"str": np.dtype(str), "object": np.dtype(object)}

# A larger array of strings is as wide as its longest string needs, whatever its file says.
_MAX_PADDED = 2**20


def encode(value: Any) -> Any:
    """A value as what ``json.dumps`` writes; NumPy's scalars become Python's.

    Raises
    ------
    ValueError
        If there is no JSON for it.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        number = float(value)
        if number == value and math.isfinite(number):
            return number
        if not math.isfinite(number):
            return {"float": str(number)}
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [encode(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[encode(key), encode(item)] for key, item in value.items()]}
    if isinstance(value, np.ndarray):
        return {"array": _encode_array(value)}
    if callable(value) and type(value).__module__ == "cymlp.schedules":
        schedule: Any = value
        names = [field.name for field in fields(schedule)]
        encoded = {name: encode(getattr(schedule, name)) for name in names}
        return {"schedule": {"name": type(value).__name__, "params": encoded}}
    raise ValueError(f"a {type(value).__name__} cannot be written to a file")


def _encode_array(array: NDArray[Any]) -> dict[str, Any]:
    name = "str" if array.dtype.kind == "U" else array.dtype.name
    if name not in _DTYPES:
        raise ValueError(f"an array of dtype {array.dtype} cannot be written to a file")
    encoded = {"dtype": name, "shape": list(array.shape), "values": encode(array.ravel().tolist())}
    return encoded | ({"width": array.dtype.itemsize // 4} if name == "str" else {})


def decode(encoded: Any) -> Any:
    """The value of which ``encode`` made this.

    Raises
    ------
    ValueError
        If ``encode`` makes no such thing.
    """
    if isinstance(encoded, list):
        return [decode(item) for item in encoded]
    if not isinstance(encoded, dict):
        return encoded
    if len(encoded) == 1:
        [(kind, content)] = encoded.items()
        if kind in _DECODERS:
            return _DECODERS[kind](content)
    raise ValueError(f"unknown kind of value {shown(encoded)}")


def check_keys(value: Any, *names: str) -> dict[str, Any]:
    """``value``; ValueError unless it is a JSON object with exactly these keys."""
    if not isinstance(value, dict) or value.keys() != set(names):
        raise ValueError(f"{shown(value)} is not an object of {', '.join(names)}")
    return value


def _list(content: Any) -> list[Any]:
    if not isinstance(content, list):
        raise ValueError(f"{shown(content)} is not a list")
    decoded: list[Any] = decode(content)
    return decoded


def _decode_float(content: Any) -> float:
    if content not in _NOT_FINITE:
        raise ValueError(f"{shown(content)} is none of {', '.join(_NOT_FINITE)}")
    return float(content)


def _decode_dict(content: Any) -> dict[Any, Any]:
    pairs = _list(content)
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise ValueError("a dict is not a list of pairs")
    try:
        return dict(pairs)
    except TypeError as error:
        raise ValueError(f"a dict has a key that cannot be one: {error}") from error


def _decode_array(content: Any) -> NDArray[Any]:
    is_str = isinstance(content, dict) and content.get("dtype") == "str"
    check_keys(content, "dtype", "shape", "values", *(["width"] if is_str else []))
    dtype = _DTYPES.get(content["dtype"]) if isinstance(content["dtype"], str) else None
    values, shape = _list(content["values"]), _list(content["shape"])
    if dtype is None or not all(type(value) in _VALUE_TYPES[dtype.kind] for value in values):
        raise ValueError(f"an array has a dtype or values that do not fit: {shown(content)}")
    is_shape = len(shape) <= 32 and all(type(n) is int and n >= 0 for n in shape)
    if not is_shape or math.prod(shape) != len(values):
        raise ValueError(f"an array of {len(values)} values has shape {shown(shape)}")
    if is_str:
        width, needed = content["width"], max(map(len, values), default=0)
        if type(width) is not int or width < needed:
            raise ValueError(f"an array of strings has width {shown(width)} for {needed}")
        if width * len(values) <= _MAX_PADDED:
            dtype = np.dtype(f"<U{width}")
    try:
        with np.errstate(over="raise"):
            return np.array(values, dtype=dtype).reshape(shape)
    except (OverflowError, FloatingPointError) as error:
        raise ValueError(f"an array has values that do not fit {dtype}: {error}") from error


def _decode_schedule(content: Any) -> Any:
    from cymlp import schedules  # late, to keep import cymlp fast

    check_keys(content, "name", "params")
    name, params = content["name"], content["params"]
    if name not in schedules.__all__ or name == "Schedule" or not isinstance(params, dict):
        raise ValueError(f"there is no schedule {shown(name)} in cymlp.schedules")
    kind = getattr(schedules, name)
    try:
        return kind(**{key: decode(value) for key, value in params.items()})
    except TypeError as error:
        raise ValueError(f"bad parameters of the schedule {name}: {error}") from error


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "array": _decode_array,
    "dict": _decode_dict,
    "float": _decode_float,
    "schedule": _decode_schedule,
    "tuple": lambda content: tuple(_list(content)),
}
