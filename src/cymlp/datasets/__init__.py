"""Images from files: MNIST and Fashion-MNIST, IDX files, folders of images.

All functions return arrays as scikit-learn's loaders do: one row, or one image, for each sample,
and one label. Pixels are uint8 as in the files; divide them by 255 before a fit, in float32 for
speed.

>>> from cymlp.datasets import fetch_mnist
>>> mnist = fetch_mnist()  # doctest: +SKIP
>>> X_train = mnist.X_train.astype("float32") / 255  # doctest: +SKIP
"""

from __future__ import annotations

import contextlib
import gzip
import math
import os
import zlib
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from operator import attrgetter
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import PIL.Image
    from sklearn.utils import Bunch

__all__ = ["fetch_mnist", "load_idx", "load_image_folder"]

_GZIP_MAGIC = b"\x1f\x8b"
_IDX_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_CHUNK = 1 << 20  # bytes

# Formats that Pillow decodes itself: some that it reads start a program, as EPS does Ghostscript.
_IMAGE_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")

_MNIST_FILES = {
    "X_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "X_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
_OPENML_NAMES = {"mnist": "mnist_784", "fashion-mnist": "Fashion-MNIST"}
_TARGET_NAMES = {
    "mnist": [str(digit) for digit in range(10)],
    "fashion-mnist": [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ],
}
_N_TRAIN = 60_000  # rows of OpenML's data sets that are the training set, the first


def load_idx(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read an array from an IDX file, the format of MNIST's files, gzipped or not.

    The file is two zero bytes, the code of a dtype, the number of dimensions, the dimensions
    as big-endian uint32, and the elements, big-endian, the last dimension fastest. Whether it
    is gzipped is decided by its first bytes, not by its name.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    array : ndarray
        Of the file's shape and dtype, which is uint8, int8, int16, int32, float32 or float64;
        in native byte order, C-contiguous and writable.

    Raises
    ------
    OSError
        If the file cannot be read, as FileNotFoundError if there is none.
    ValueError
        If it is not an IDX file, if it is cut short or damaged, or if its data are longer or
        shorter than its dimensions say. What is beyond them is not read or unpacked.

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
    with open(path, "rb") as file:
        gzipped = file.read(2) == _GZIP_MAGIC
        file.seek(0)
        if not gzipped:
            return _read_idx(file, path)
        try:
            with gzip.open(file) as stream:
                return _read_idx(stream, path)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{_shown(path)} is a damaged gzip file: {error}") from error


def _read_idx(stream: IO[bytes] | gzip.GzipFile, path: str | os.PathLike[str]) -> NDArray[Any]:
    """The array of an IDX file that is open at its beginning; ``path`` is for the errors."""
    magic = stream.read(4)
    if len(magic) < 4:
        raise ValueError(
            f"{_shown(path)} is not an IDX file: it should begin with 4 bytes of magic number, "
            f"but has only {len(magic)}."
        )
    code, n_dimensions = magic[2], magic[3]
    if magic[:2] != b"\0\0":
        raise ValueError(
            f"{_shown(path)} is not an IDX file: it should begin with two zero bytes, but begins "
            f"with {magic[:2].hex(' ')}."
        )
    if code not in _IDX_DTYPES:
        known = ", ".join(f"0x{known:02X}" for known in _IDX_DTYPES)
        raise ValueError(
            f"{_shown(path)} is not an IDX file: the code of its dtype is 0x{code:02X}, which is "
            f"none of {known}."
        )
    if n_dimensions < 1:
        raise ValueError(f"{_shown(path)} is not an IDX file: it has 0 dimensions.")
    header = stream.read(4 * n_dimensions)
    if len(header) < 4 * n_dimensions:
        raise ValueError(
            f"{_shown(path)} is cut short: its {n_dimensions} dimensions should take "
            f"{4 * n_dimensions} bytes, but only {len(header)} follow."
        )
    shape = tuple(np.frombuffer(header, ">u4").tolist())
    dtype = np.dtype(_IDX_DTYPES[code])
    n_bytes = math.prod(shape) * dtype.itemsize  # of Python's ints, which do not overflow

    # Read in chunks, as dimensions that are wrong must not make anyone allocate what they say, and
    # to one byte beyond the data: gzip's checksum follows there, or more than anyone should unpack.
    data = bytearray()
    while chunk := stream.read(min(_CHUNK, n_bytes + 1 - len(data))):
        data += chunk
    if len(data) > n_bytes:
        raise ValueError(
            f"{_shown(path)} is longer than its shape {shape} and dtype {dtype.name} say, which "
            f"make {n_bytes} bytes of data."
        )
    if len(data) < n_bytes:
        raise ValueError(
            f"{_shown(path)} is cut short: its shape {shape} and dtype {dtype.name} make "
            f"{n_bytes} bytes of data, but it has {len(data)}."
        )
    try:
        array = np.frombuffer(data, dtype).reshape(shape)
    except ValueError as error:  # too many dimensions, or a huge shape with a 0 in it
        raise ValueError(
            f"{_shown(path)} has a shape that NumPy cannot hold, {shape}: {error}"
        ) from error
    return array.astype(dtype.newbyteorder("="), copy=False)


def load_image_folder(
    path: str | os.PathLike[str], *, mode: str = "L"
) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Read images from a folder that has one folder of image files for each class.

    The files may be PNG, JPEG, BMP, GIF, TIFF, WebP or PPM (with PGM and PBM), whatever their
    names; of an animation or of several pages, the first image is read. The extra
    ``images`` brings Pillow, which reads them. All images must be of one size. Files and folders
    whose names begin with a dot are skipped, as are files beside the classes' folders.

    Parameters
    ----------
    path : str or path-like
        The folder of the classes' folders.
    mode : {"L", "RGB"}, default="L"
        Whether images become grayscale or have three colours. Transparency is dropped.

    Returns
    -------
    images : ndarray of shape (n, height, width) or (n, height, width, 3), uint8
        The images, sorted by the names of their folders and then by their own.
    labels : ndarray of shape (n,), int64 or str
        The name of each image's folder, as an int if all folders' names are decimal digits.

    Raises
    ------
    ImportError
        If Pillow is not installed.
    OSError
        If a folder or a file cannot be read, as FileNotFoundError if there is no such folder.
    MemoryError
        If there is not enough memory for the images.
    ValueError
        If there are no classes, if a class has no images, if something in its folder is not a
        regular file or a link to one, if a file is not an image of 8 bits in one of these formats,
        if it has more pixels than ``PIL.Image.MAX_IMAGE_PIXELS``, Pillow's guard against
        decompression bombs (about 89 million), if sizes differ, or if two names are the same
        number.

    Examples
    --------
    >>> from cymlp.datasets import load_image_folder
    >>> images, labels = load_image_folder("digits/train")  # doctest: +SKIP
    >>> X = images.reshape(len(images), -1).astype("float32") / 255  # doctest: +SKIP
    """
    if mode not in ("L", "RGB"):
        raise ValueError(f'mode must be "L" or "RGB". Got {mode!r} instead.')
    try:
        import PIL.Image  # noqa: F401
    except ImportError as error:
        raise ImportError(
            'load_image_folder needs Pillow. Install it with: pip install "pillow>=10"'
        ) from error

    folders = [entry for entry in _visible(Path(path)) if entry.is_dir()]
    if not folders:
        raise ValueError(f"{_shown(path)} has no folders of images, one for each class.")
    files_of = {folder.name: _visible(folder) for folder in folders}
    for folder in folders:
        if not files_of[folder.name]:
            raise ValueError(f"{_shown(folder)}, the folder of a class, has no images.")

    files = [file for of_class in files_of.values() for file in of_class]
    size_of = attrgetter("size")
    first = _of_image(files[0], size_of)

    def check_size(file: Path, size: tuple[int, int]) -> None:
        if size != first:
            raise ValueError(
                f"Images must have one size, but {_shown(file)} has {size[0]} x {size[1]} pixels "
                f"(width x height) and {_shown(files[0])} has {first[0]} x {first[1]}."
            )

    def pixels_of(image: PIL.Image.Image) -> NDArray[np.uint8]:
        image.info.pop("transparency", None)  # else Pillow warns that it drops a palette's
        return np.asarray(image.convert(mode))

    for file in files[1:]:  # before memory is reserved for all of them
        check_size(file, _of_image(file, size_of))
    shape = (len(files), first[1], first[0])
    images = np.empty(shape if mode == "L" else (*shape, 3), np.uint8)
    for image, file in zip(images, files, strict=True):
        pixels = _of_image(file, pixels_of)
        check_size(file, pixels.shape[1::-1])  # once more, as the file may be another by now
        image[...] = pixels
    labels = np.repeat(_as_labels(list(files_of), path), [len(of) for of in files_of.values()])
    return images, labels


def _visible(folder: Path) -> list[Path]:
    """What is in a folder, sorted by name, without what is hidden."""
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    return sorted(entries, key=lambda entry: entry.name)


def _as_labels(names: list[str], path: str | os.PathLike[str]) -> NDArray[Any]:
    """The classes' names as an array, of int64 if all are decimal digits that fit."""
    if not all(name.isascii() and name.isdecimal() and len(name) <= 18 for name in names):
        return np.array(names)
    labels = np.array([int(name) for name in names], np.int64)
    if len(np.unique(labels)) < len(names):
        raise ValueError(
            f"Names of folders in {_shown(path)} are the same number, as 1 and 01 are: {names}."
        )
    return labels


def _of_image(path: Path, get: Callable[[PIL.Image.Image], Any]) -> Any:
    """What ``get`` makes of an image file, of which Pillow has read no more than the header."""
    import PIL.Image

    if not path.is_file():  # to open a FIFO is to wait for someone who writes
        kind = "a folder" if path.is_dir() else "not a regular file"
        raise ValueError(f"{_shown(path)} is {kind}; the folder of a class must have only images.")
    with open(path, "rb") as file:
        with _pillows_errors(path):
            image = PIL.Image.open(file, formats=_IMAGE_FORMATS)
        # Pillow makes 255 of all that is above it, and so of most pixels of 16 bits.
        if image.mode.startswith(("I", "F")):
            raise ValueError(
                f"{_shown(path)} has more than 8 bits for a pixel (Pillow's mode {image.mode!r})."
            )
        limit = PIL.Image.MAX_IMAGE_PIXELS
        if limit is not None and image.width * image.height > limit:
            raise ValueError(
                f"{_shown(path)} has {image.width} x {image.height} pixels, which is more than "
                f"PIL.Image.MAX_IMAGE_PIXELS allows, {limit}."
            )
        with _pillows_errors(path):
            return get(image)


@contextlib.contextmanager
def _pillows_errors(path: Path) -> Iterator[None]:
    """Pillow's errors as a ValueError; its readers do not agree on what to raise."""
    from PIL import UnidentifiedImageError

    try:
        yield
    except UnidentifiedImageError as error:
        formats = ", ".join(_IMAGE_FORMATS)
        raise ValueError(
            f"Pillow cannot read {_shown(path)}: it is none of {formats}, or damaged."
        ) from error
    except Exception as error:
        raise ValueError(
            f"Pillow cannot read {_shown(path)}: {type(error).__name__}: {error}"
        ) from error


def fetch_mnist(name: str = "mnist", *, data_home: str | os.PathLike[str] | None = None) -> Bunch:
    """Load MNIST or Fashion-MNIST, from files or else from OpenML.

    The four IDX files, ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``,
    ``t10k-images-idx3-ubyte`` and ``t10k-labels-idx1-ubyte``, each gzipped with ``.gz`` added to
    its name or as it is, are looked for in

    1. ``data_home``, if given: its folder ``name``, then itself;
    2. the environment variable CYMLP_DATA, if set: its folder ``name``, then itself;
    3. scikit-learn's data home, usually ``~/scikit_learn_data``: its folder ``name``.

    The files of both data sets have the same names. So a folder called "mnist" itself is never
    taken for Fashion-MNIST, nor the other way round. Where no folder has all four files, OpenML's
    copy is fetched by :func:`~sklearn.datasets.fetch_openml`, and cached by it.

    Parameters
    ----------
    name : {"mnist", "fashion-mnist"}, default="mnist"
        The data set.
    data_home : str, path-like or None, default=None
        Folder to look into first, and for the cache of what is fetched. None for
        scikit-learn's data home, as in its fetchers.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        X_train : ndarray of shape (60000, 784), uint8
            The training images, row by row, from 0 to 255.
        y_train : ndarray of shape (60000,), int64
            Their classes, 0 to 9.
        X_test, y_test : ndarray of shape (10000, 784), uint8, and (10000,), int64
            The same of the test images.
        target_names : ndarray of shape (10,), str
            What the classes are.
        name : str
            The data set's name.
        DESCR : str
            A description, which says where the data came from.

    Raises
    ------
    ValueError
        If there is no data set of that name, or if a file is not what it should be.
    OSError
        If the data are in none of the folders and cannot be fetched either.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document
    recognition", Proceedings of the IEEE 86, 1998.

    H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking
    machine learning algorithms", 2017, arXiv:1708.07747.

    Examples
    --------
    >>> from cymlp import MLPClassifier
    >>> from cymlp.datasets import fetch_mnist
    >>> mnist = fetch_mnist()  # doctest: +SKIP
    >>> mnist.X_train.shape  # doctest: +SKIP
    (60000, 784)
    >>> clf = MLPClassifier(random_state=0)
    >>> clf.fit(mnist.X_train.astype("float32") / 255, mnist.y_train)  # doctest: +SKIP
    """
    if name not in _OPENML_NAMES:
        known = " or ".join(f'"{known}"' for known in _OPENML_NAMES)
        raise ValueError(f"name must be {known}. Got {name!r} instead.")
    # Imported late, here and below: whoever imports cymlp should not wait for what few need.
    from http.client import HTTPException

    from sklearn.utils import Bunch

    looked_into = []
    for folder in _mnist_folders(name, data_home):
        files = {part: _plain_or_gzipped(folder / file) for part, file in _MNIST_FILES.items()}
        missing = [_MNIST_FILES[part] for part, file in files.items() if file is None]
        if not missing:
            arrays, source = _from_files(files), f"the IDX files in {folder}"
            break
        found = len(missing) < len(files)
        looked_into.append(
            f"{folder} (which has some, but not {', '.join(missing)})" if found else str(folder)
        )
    else:
        try:
            arrays = _from_openml(_OPENML_NAMES[name], data_home)
        except (OSError, HTTPException, ValueError, EOFError, zlib.error) as error:
            lines = "\n".join(f"  {folder}" for folder in looked_into)
            raise OSError(
                f"The data set {name!r} is not on this machine, and OpenML's copy could not be "
                f"fetched: {type(error).__name__}: {error}\n"
                f"Put its four files, {', '.join(_MNIST_FILES.values())}, with or without .gz, "
                f"into a folder {name!r} and name that folder's parent in data_home or in the "
                f"environment variable CYMLP_DATA. Looked into:\n{lines}"
            ) from error
        source = f"OpenML's {_OPENML_NAMES[name]}, version 1"
    return Bunch(
        **arrays,
        target_names=np.array(_TARGET_NAMES[name]),
        name=name,
        DESCR=f"{name}: {len(arrays['X_train'])} training images and {len(arrays['X_test'])} "
        f"test images of {len(_TARGET_NAMES[name])} classes, from {source}.",
    )


def _mnist_folders(name: str, data_home: str | os.PathLike[str] | None) -> Iterator[Path]:
    """The folders in which a data set may be, the first to be preferred."""
    for place in (data_home, os.environ.get("CYMLP_DATA")):
        if place:
            folder = Path(place).expanduser().absolute()
            yield folder / name
            if folder.name.lower() not in set(_OPENML_NAMES) - {name}:
                yield folder
    from sklearn.datasets import get_data_home

    # It makes the folder, which may be impossible and need not be possible.
    with contextlib.suppress(OSError):
        yield Path(get_data_home()) / name


def _plain_or_gzipped(path: Path) -> Path | None:
    """The file of this path, or else of this path with .gz added, if there is one."""
    gzipped = path.with_name(f"{path.name}.gz")
    return next((file for file in (path, gzipped) if file.is_file()), None)


def _from_files(files: dict[str, Any]) -> dict[str, NDArray[Any]]:
    """X_train, y_train, X_test and y_test from their files."""
    arrays = {part: load_idx(file) for part, file in files.items()}
    for part, array in arrays.items():
        wanted = 3 if part.startswith("X") else 1
        if array.ndim != wanted or array.dtype != np.uint8:
            raise ValueError(
                f"{_shown(files[part])} should have {wanted} dimensions of uint8, but has "
                f"{array.ndim} of {array.dtype}."
            )
    for X, y in (("X_train", "y_train"), ("X_test", "y_test")):
        if len(arrays[X]) != len(arrays[y]):
            raise ValueError(
                f"{_shown(files[X])} has {len(arrays[X])} images, but {_shown(files[y])} has "
                f"{len(arrays[y])} labels."
            )
    return {
        part: (
            array.reshape(len(array), math.prod(array.shape[1:]))
            if part.startswith("X")
            else array.astype(np.int64)
        )
        for part, array in arrays.items()
    }


def _from_openml(
    openml_name: str, data_home: str | os.PathLike[str] | None
) -> dict[str, NDArray[Any]]:
    """X_train, y_train, X_test and y_test from OpenML, or from scikit-learn's cache of it."""
    from sklearn.datasets import fetch_openml

    X, y = fetch_openml(
        openml_name,
        version=1,
        data_home=data_home,
        return_X_y=True,
        as_frame=False,
        # pandas's parser is faster by far, but scikit-learn does not bring pandas along.
        parser="pandas" if find_spec("pandas") else "liac-arff",
    )
    X, y = np.ascontiguousarray(X, np.uint8), np.asarray(y).astype(np.int64)
    return {
        "X_train": X[:_N_TRAIN],
        "y_train": y[:_N_TRAIN],
        "X_test": X[_N_TRAIN:],
        "y_test": y[_N_TRAIN:],
    }


def _shown(path: str | os.PathLike[str]) -> str:
    """A path for a message."""
    return repr(os.fspath(path))
