"""MNIST and Fashion-MNIST, from their IDX files or from OpenML."""

from __future__ import annotations

import contextlib
import math
import os
import zlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cymlp.datasets._idx import load_idx

if TYPE_CHECKING:
    from sklearn.utils import Bunch

_FILES = {
    "X_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "X_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
_OPENML_NAMES = {"mnist": "mnist_784", "fashion-mnist": "Fashion-MNIST"}
_TARGET_NAMES = {
    "mnist": [str(digit) for digit in range(10)],
    "fashion-mnist": [
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
        "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ],
}  # fmt: skip
_N_TRAIN = 60_000  # the first rows of OpenML's data sets are the training set


def fetch_mnist(name: str = "mnist", *, data_home: str | os.PathLike[str] | None = None) -> Bunch:
    """Load MNIST or Fashion-MNIST, from files or else from OpenML.

    The data set consists of four IDX files: ``train-images-idx3-ubyte``,
    ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte`` and ``t10k-labels-idx1-ubyte``. Each
    may be gzipped; its name then ends in ``.gz``. The function looks for them in these folders, in
    this order:

    1. if ``data_home`` is given, its subfolder ``name``, then ``data_home`` itself;
    2. the subfolder ``name`` of scikit-learn's data home, which is ``~/scikit_learn_data`` unless
       the environment variable SCIKIT_LEARN_DATA names another.

    If none of them has all four files, :func:`~sklearn.datasets.fetch_openml` fetches OpenML's
    copy, and caches it.

    The files of both data sets have the same names. Therefore, a ``data_home`` that is itself
    called "mnist" is not searched for Fashion-MNIST, nor the other way round.

    Parameters
    ----------
    name : {"mnist", "fashion-mnist"}, default="mnist"
        The data set.
    data_home : str, path-like or None, default=None
        The folder to look into first, and to cache in what is fetched. None for scikit-learn's
        data home, as in its own fetchers.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        X_train : ndarray of shape (60000, 784), uint8
            The training images, one in each row, from 0 to 255.
        y_train : ndarray of shape (60000,), int64
            Their classes, 0 to 9.
        X_test, y_test : ndarray of shape (10000, 784), uint8, and (10000,), int64
            The test images and their classes.
        target_names : ndarray of shape (10,), str
            The names of the classes.
        name : str
            The name of the data set.
        DESCR : str
            A description, which says where the data came from.

    Raises
    ------
    ValueError
        If there is no data set of that name, or if a file has the wrong contents.
    OSError
        If none of the folders has the files, and they cannot be fetched either.

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
    # Imported here and below, because few need it: importing cymlp.datasets stays quick.
    from http.client import HTTPException

    from sklearn.utils import Bunch

    searched = []
    for folder in _mnist_folders(name, data_home):
        files = {part: _plain_or_gzipped(folder / file) for part, file in _FILES.items()}
        missing = [_FILES[part] for part, file in files.items() if file is None]
        if not missing:
            arrays, source = _from_files(files), f"the IDX files in {folder}"
            break
        found = len(missing) < len(files)
        searched.append(f"{folder} (which lacks {', '.join(missing)})" if found else str(folder))
    else:
        try:
            arrays = _from_openml(_OPENML_NAMES[name], data_home)
        except (OSError, HTTPException, ValueError, EOFError, zlib.error) as error:
            lines = "\n".join(f"  {folder}" for folder in searched)
            raise OSError(
                f"The data set {name!r} is not on this machine, and OpenML's copy could not be "
                f"fetched: {type(error).__name__}: {error}\n"
                f"Put its four files, {', '.join(_FILES.values())}, with or without .gz, "
                f"into a folder named {name!r}, and pass its parent folder as data_home, or set "
                f"the environment variable SCIKIT_LEARN_DATA to it. Folders searched:\n{lines}"
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
    """The folders to search for a data set, in this order."""
    if data_home:
        folder = Path(data_home).expanduser().absolute()
        yield folder / name
        if folder.name.lower() not in set(_OPENML_NAMES) - {name}:
            yield folder
    from sklearn.datasets import get_data_home

    # It creates a missing folder. If it cannot, the files are not there.
    with contextlib.suppress(OSError):
        yield Path(get_data_home()) / name


def _plain_or_gzipped(path: Path) -> Path | None:
    """This path if there is such a file, else this path with .gz added, else None."""
    gzipped = path.with_name(f"{path.name}.gz")
    return next((file for file in (path, gzipped) if file.is_file()), None)


def _from_files(files: dict[str, Any]) -> dict[str, NDArray[Any]]:
    """X_train, y_train, X_test and y_test, each from its file."""
    arrays = {part: load_idx(file) for part, file in files.items()}
    for part, array in arrays.items():
        wanted = 3 if part.startswith("X") else 1
        if array.ndim != wanted or array.dtype != np.uint8:
            raise ValueError(
                f"{str(files[part])!r} should have {wanted} dimensions of uint8, but has "
                f"{array.ndim} of {array.dtype}."
            )
    for X, y in (("X_train", "y_train"), ("X_test", "y_test")):
        if len(arrays[X]) != len(arrays[y]):
            raise ValueError(
                f"{str(files[X])!r} has {len(arrays[X])} images, but "
                f"{str(files[y])!r} has {len(arrays[y])} labels."
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
        # pandas's parser is much faster, but scikit-learn does not depend on pandas.
        parser="pandas" if find_spec("pandas") else "liac-arff",
    )
    X, y = np.ascontiguousarray(X, np.uint8), np.asarray(y).astype(np.int64)
    return {
        "X_train": X[:_N_TRAIN],
        "y_train": y[:_N_TRAIN],
        "X_test": X[_N_TRAIN:],
        "y_test": y[_N_TRAIN:],
    }
