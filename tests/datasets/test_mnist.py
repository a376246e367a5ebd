"""fetch_mnist: where it looks for files, when it asks OpenML, and the real data."""

import gzip
import urllib.error
import zlib
from http.client import IncompleteRead

import numpy as np
import pytest
import sklearn.datasets
from numpy.testing import assert_array_equal
from sklearn.metrics import pairwise_distances_argmin

from cymlp.datasets import _mnist, fetch_mnist
from idx import MNIST_FILES, idx_bytes, small_mnist, write


@pytest.fixture(autouse=True)
def sklearn_home(tmp_path, monkeypatch):
    """scikit-learn's data home, which does not exist yet; OpenML cannot be reached."""
    home = tmp_path / "scikit_learn_home"
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(home))
    openml_raises(monkeypatch, urllib.error.URLError("no network in tests"))
    return home


def openml_raises(monkeypatch, error):
    def fetch_openml(*args, **kwargs):
        raise error

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch_openml)


def first_pixel(*args, **kwargs):
    return fetch_mnist(*args, **kwargs).X_train[0, 0]


# Files.


@pytest.mark.parametrize(
    "name, compress, suffix", [("mnist", bytes, ""), ("fashion-mnist", gzip.compress, ".gz")]
)
def test_files(tmp_path, name, compress, suffix):
    wanted = small_mnist(tmp_path / name, 3, compress, suffix)
    data = fetch_mnist(name, data_home=tmp_path)
    assert isinstance(data, sklearn.utils.Bunch)
    assert set(data) == {*MNIST_FILES, "target_names", "name", "DESCR"}
    for part, array in wanted.items():
        is_images = part.startswith("X")
        assert data[part].dtype == (np.uint8 if is_images else np.int64)
        assert_array_equal(data[part], array.reshape(-1, 6) if is_images else array)
    assert data.name == name
    assert len(data.target_names) == 10
    assert data.target_names[9] == ("9" if name == "mnist" else "Ankle boot")
    assert str(tmp_path / name) in data.DESCR


def test_folders_are_searched_in_order(sklearn_home, tmp_path):
    given = tmp_path / "given"
    small_mnist(sklearn_home / "mnist", 1)
    assert first_pixel() == first_pixel(data_home=given) == 1
    small_mnist(given, 2)
    assert first_pixel() == 1
    assert first_pixel(data_home=given) == 2
    small_mnist(given / "mnist", 3)
    assert first_pixel(data_home=given) == first_pixel(data_home=str(given)) == 3
    (given / "mnist" / "t10k-labels-idx1-ubyte").unlink()
    assert first_pixel(data_home=given) == 2


def test_each_file_may_be_gzipped(tmp_path):
    small_mnist(tmp_path, 1)
    labels = tmp_path / "t10k-labels-idx1-ubyte"
    write(tmp_path / f"{labels.name}.gz", gzip.compress(labels.read_bytes()))
    labels.unlink()
    assert first_pixel(data_home=tmp_path) == 1


def test_the_two_data_sets_are_not_confused(tmp_path, monkeypatch):
    small_mnist(tmp_path / "mnist", 1)
    small_mnist(tmp_path / "FASHION-MNIST", 2)
    assert first_pixel(data_home=tmp_path / "mnist") == 1
    assert first_pixel("fashion-mnist", data_home=tmp_path / "FASHION-MNIST") == 2
    with pytest.raises(OSError, match="could not be fetched"):
        fetch_mnist("mnist", data_home=tmp_path / "FASHION-MNIST")
    monkeypatch.chdir(tmp_path / "mnist")
    assert first_pixel(data_home=".") == 1
    with pytest.raises(OSError, match="could not be fetched"):
        fetch_mnist("fashion-mnist", data_home=".")


def test_tilde_is_the_users_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    small_mnist(tmp_path / "data" / "mnist", 1)
    assert first_pixel(data_home="~/data") == 1


def test_scikit_learns_data_home_is_not_created_unnecessarily(sklearn_home, tmp_path):
    small_mnist(tmp_path / "mnist", 1)
    assert first_pixel(data_home=tmp_path) == 1
    assert not sklearn_home.exists()


@pytest.mark.parametrize("name", ["MNIST", "mnist_784", "", None, 1])
def test_name_is_checked(name):
    with pytest.raises(ValueError, match='name must be "mnist" or "fashion-mnist"'):
        fetch_mnist(name)


@pytest.mark.parametrize(
    "part, content, message",
    [
        ("X_train", idx_bytes(np.zeros((4, 2, 3), np.uint8)), r"4 images.*train-labels.* 5 labels"),
        ("X_test", idx_bytes(np.zeros((4, 2, 3), np.uint8)), r"4 images.*t10k-labels.* 2 labels"),
        ("X_test", idx_bytes(np.zeros((2, 2, 3), np.int16)), r"3 dimensions of uint8.* 3 of int16"),
        ("y_train", idx_bytes(np.zeros((5, 2), np.uint8)), r"1 dimensions of uint8.* 2 of uint8"),
        ("y_test", b"", "is not an IDX file"),
    ],
    ids=["too few images", "too many images", "dtype", "dimensions", "empty"],
)
def test_bad_files(tmp_path, part, content, message):
    small_mnist(tmp_path, 1)
    write(tmp_path / MNIST_FILES[part], content)
    with pytest.raises(ValueError, match=f"{MNIST_FILES[part]}.*{message}"):
        fetch_mnist(data_home=tmp_path)


def test_a_data_set_without_test_images(tmp_path):
    small_mnist(tmp_path, 1)
    write(tmp_path / MNIST_FILES["X_test"], idx_bytes(np.empty((0, 2, 3), np.uint8)))
    write(tmp_path / MNIST_FILES["y_test"], idx_bytes(np.empty(0, np.uint8)))
    assert fetch_mnist(data_home=tmp_path).X_test.shape == (0, 6)


# OpenML.


@pytest.mark.parametrize(
    "name, openml_name, has_pandas, cache, dtype",
    [
        ("mnist", "mnist_784", True, None, np.float64),
        ("fashion-mnist", "Fashion-MNIST", False, "cache", np.int64),
    ],
)
def test_openml_is_used_if_there_are_no_files(
    tmp_path, monkeypatch, name, openml_name, has_pandas, cache, dtype
):
    X = (np.arange(60_007 * 2) % 256).reshape(-1, 2)
    y = np.arange(60_007) * 7 % 10
    calls = []

    def fetch_openml(*args, **kwargs):
        calls.append((args, kwargs))
        return X.astype(dtype), y.astype(str).astype(object)

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch_openml)
    monkeypatch.setattr(_mnist, "find_spec", lambda name: object() if has_pandas else None)
    data_home = cache and tmp_path / cache
    data = fetch_mnist(name, data_home=data_home)
    assert calls == [
        (
            (openml_name,),
            {
                "version": 1,
                "data_home": data_home,
                "return_X_y": True,
                "as_frame": False,
                "parser": "pandas" if has_pandas else "liac-arff",
            },
        )
    ]
    for part, array in zip(
        MNIST_FILES, (X[:60_000], y[:60_000], X[60_000:], y[60_000:]), strict=True
    ):
        assert_array_equal(data[part], array)
        assert data[part].dtype == (np.uint8 if part.startswith("X") else np.int64)
        assert data[part].flags.c_contiguous and data[part].flags.writeable
    assert openml_name in data.DESCR


def test_openml_is_not_asked_if_there_are_files(tmp_path, monkeypatch):
    openml_raises(monkeypatch, AssertionError)
    small_mnist(tmp_path / "mnist", 1)
    assert first_pixel(data_home=tmp_path) == 1


def test_error_if_no_data_are_found(sklearn_home, tmp_path):
    given = tmp_path / "given"
    small_mnist(given / "mnist", 1)
    (given / "mnist" / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(OSError, match="'mnist' is not on this machine") as caught:
        fetch_mnist(data_home=given)
    message = str(caught.value)
    assert all(name in message for name in MNIST_FILES.values())
    assert [line.strip() for line in message.splitlines() if line.startswith("  ")] == [
        f"{given / 'mnist'} (which lacks t10k-labels-idx1-ubyte)",
        str(given),
        str(sklearn_home / "mnist"),
    ]


@pytest.mark.parametrize(
    "error",
    [
        urllib.error.URLError("refused"),
        TimeoutError("late"),
        IncompleteRead(b"", 9),
        ValueError("md5 checksum"),  # scikit-learn's OpenMLError is a ValueError too
        EOFError("cut short"),
        zlib.error("damaged"),
    ],
    ids=repr,
)
def test_reasons_why_openml_fails(monkeypatch, error):
    openml_raises(monkeypatch, error)
    with pytest.raises(OSError, match="could not be fetched") as caught:
        fetch_mnist()
    assert f"{type(error).__name__}: {error}" in str(caught.value)
    assert caught.value.__cause__ is error


def test_scikit_learns_data_home_may_be_unusable(tmp_path, monkeypatch):
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(write(tmp_path / "file", b"") / "home"))
    with pytest.raises(OSError, match="could not be fetched"):
        fetch_mnist(data_home=tmp_path)


# The real files.


@pytest.mark.parametrize(
    "name, mean, n_per_class, score",
    [
        ("mnist", 33.318, [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009], 0.80),
        ("fashion-mnist", 72.940, [1000] * 10, 0.65),
    ],
)
def test_real_files(data_home, name, mean, n_per_class, score):
    """The order of the samples may differ, as it does between copies of these data sets."""
    data = fetch_mnist(name, data_home=data_home(name))
    assert data.X_train.shape == (60_000, 784)
    assert data.X_test.shape == (10_000, 784)
    assert data.X_train.min() == 0
    assert data.X_train.max() == 255
    assert data.X_train.mean() == pytest.approx(mean, abs=0.001)
    assert np.bincount(data.y_test).tolist() == n_per_class
    # Images and labels match: the class with the nearest mean is often correct.
    means = [data.X_train[data.y_train == label].mean(axis=0) for label in range(10)]
    assert np.mean(pairwise_distances_argmin(data.X_test, means) == data.y_test) > score
