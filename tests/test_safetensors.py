"""The safetensors format: what is written, what is read, and what is refused."""

import errno
import json
import os
import re
import stat
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal

from cymlp import _safetensors

TENSORS = {
    "W": np.arange(6, dtype=np.float32).reshape(2, 3),
    "empty": np.empty((0, 4)),
    "number": np.array(3.5),
    "flags": np.array([True, False, True]),
    "b": np.arange(3, dtype=np.int16),
}
METADATA = {"about": 'quotes " and é, 日本', "": ""}

arrays = hnp.arrays(
    dtype=st.sampled_from(list(_safetensors._DTYPES.values())),
    shape=hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
)
names = st.text(max_size=20).filter(lambda name: name != "__metadata__")
texts = st.text(st.characters(codec="utf-8"), max_size=20)


def assert_same(read, written):
    assert read.keys() == written.keys()
    for name, array in written.items():
        assert read[name].dtype == array.dtype.newbyteorder("=")
        assert_array_equal(read[name], array, strict=False)
        assert read[name].shape == array.shape


def content(header, data=b""):
    """A file with this header, JSON or bytes."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(dtype="F32", shape=(2,), data_offsets=(0, 8), **more):
    return {"dtype": dtype, "shape": shape, "data_offsets": data_offsets, **more}


@given(st.dictionaries(names, arrays, max_size=5), st.dictionaries(texts, texts, max_size=3))
def test_what_is_written_is_read(tmp_path_factory, tensors, metadata):
    path = tmp_path_factory.mktemp("written") / "file"
    _safetensors.write(path, tensors, metadata)
    read, read_metadata = _safetensors.read(path)
    assert_same(read, tensors)
    assert list(read) == list(tensors)
    assert read_metadata == metadata
    assert int.from_bytes(path.read_bytes()[:8], "little") % 8 == 0


def test_the_safetensors_package_reads_what_is_written(tmp_path):
    package = pytest.importorskip("safetensors.numpy")
    _safetensors.write(tmp_path / "file", TENSORS, METADATA)
    assert_same(package.load_file(tmp_path / "file"), TENSORS)
    with sys.modules["safetensors"].safe_open(tmp_path / "file", "np") as file:
        assert file.metadata() == METADATA


def test_reads_what_the_safetensors_package_writes(tmp_path):
    package = pytest.importorskip("safetensors.numpy")
    package.save_file(TENSORS, tmp_path / "file", METADATA)
    read, metadata = _safetensors.read(tmp_path / "file")
    assert_same(read, TENSORS)
    assert metadata == METADATA


def test_arrays_of_any_order(tmp_path):
    tensors = {
        "big-endian": np.arange(6, dtype=">f8"),
        "columns": np.asfortranarray(TENSORS["W"]),
        "every second": np.arange(8)[::2],
    }
    _safetensors.write(tmp_path / "file", tensors, {})
    assert_same(_safetensors.read(tmp_path / "file")[0], tensors)


def test_arrays_are_views_of_aligned_memory(tmp_path):
    _safetensors.write(tmp_path / "file", TENSORS, {})
    read, _ = _safetensors.read(tmp_path / "file")
    assert read["W"].ctypes.data % 64 == 0
    assert np.shares_memory(read["W"], read["W"].base)


GOOD = {"a": entry()}
NESTED = b"[" * 100_000
BAD = {
    "nothing": (b"", "no safetensors file"),
    "seven bytes": (b"\0" * 7, "no safetensors file"),
    "a zip file": (b"PK\3\4" + b"\0" * 50, "no safetensors file"),
    "a pickle": (b"\x80\4\x95" + b"\0" * 50, "would be the header"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "no safetensors file"),
    "a header as long as the file": (b"\x08" + b"\0" * 14, "would be the header"),
    "a header of 2**64 - 1 bytes": (b"\xff" * 8 + b"{}", "would be the header"),
    "a header that is too long": (content(b"{" + b" " * 10_000_001), "would be the header"),
    "no header": (content(b""), "not a JSON object"),
    "a list": (content([]), "not a JSON object"),
    "a space first": (content(b' {"a": 1}'), "not a JSON object"),
    "not UTF-8": (content(b'{"\xff": 1}'), "utf-8"),
    "not JSON": (content(b"{'a': 1}"), "Expecting property name"),
    "NaN": (content(b'{"a": NaN}'), "NaN is not JSON"),
    "padding by zeros": (content(b"{}\0\0"), "Extra data"),
    "the same name twice": (content(b'{"a": {}, "a": {}}'), "occurs twice"),
    "the same key twice": (content(b'{"a": {"shape": [], "shape": []}}'), "occurs twice"),
    "deep JSON": (content(b'{"a": ' + NESTED), "nested too deeply"),
    "many objects": (content(b'{"a": ' + b"[]," * 200_000), "more than 200000"),
    "metadata that are a list": (content({"__metadata__": []}), "__metadata__"),
    "metadata that are numbers": (content({"__metadata__": {"a": 1}}), "__metadata__"),
    "an entry that is a list": (content({"a": []}), "entry of 'a'"),
    "an entry with more": (content({"a": entry(more=1)}, b"\0" * 8), "entry of 'a'"),
    "an unknown dtype": (content({"a": entry("F31")}), "unknown dtype 'F31'"),
    "a dtype that is a list": (content({"a": entry([])}), "unknown dtype"),
    "a negative size": (content({"a": entry(shape=[-2])}, b"\0" * 8), "shape or data_offsets"),
    "a bool for a size": (content({"a": entry(shape=[True, 2])}, b"\0" * 8), "shape or data_off"),
    "a float for a size": (content({"a": entry(shape=[2.0])}, b"\0" * 8), "shape or data_offsets"),
    "many dimensions": (content({"a": entry(shape=[1] * 99)}, b"\0" * 8), "shape or data_offsets"),
    "sizes that overflow": (content({"a": entry(shape=[2**62, 8])}, b"\0" * 8), "too large"),
    "and are empty": (content({"a": entry(shape=[0, 2**62, 8], data_offsets=[0, 0])}), "too large"),
    "another size": (content({"a": entry(shape=[3])}, b"\0" * 8), "needs 12 bytes"),
    "three offsets": (content({"a": entry(data_offsets=[0, 8, 8])}, b"\0" * 8), "needs 8 bytes"),
    "offsets in reverse": (content({"a": entry(data_offsets=[8, 0])}, b"\0" * 8), "needs 8 bytes"),
    "a hole at the beginning": (
        content({"a": entry(data_offsets=[4, 12])}, b"\0" * 12), "begin at 4, not at 0",
    ),
    "overlap": (
        content({"a": entry(), "b": entry(data_offsets=[4, 12])}, b"\0" * 12), "begin at 4, not",
    ),
    "a missing byte": (content(GOOD, b"\0" * 7), "have 8 bytes, and the file has 7"),
    "a byte too many": (content(GOOD, b"\0" * 9), "have 8 bytes, and the file has 9"),
    "a bool that is 2": (content({"a": entry("BOOL", [1], [0, 1])}, b"\2"), "neither true nor"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_an_error(case, tmp_path):
    data, reason = BAD[case]
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=reason) as caught:
        _safetensors.read(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_good_file_differs_from_the_bad_ones(tmp_path):
    (tmp_path / "file").write_bytes(content(GOOD, b"\0" * 8))
    assert_same(_safetensors.read(tmp_path / "file")[0], {"a": np.zeros(2, np.float32)})


def test_a_file_that_is_cut_while_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "file"
    _safetensors.write(path, {"a": np.zeros(100_000)}, {})
    parse = _safetensors.parse

    def cut(text):
        os.truncate(path, 5_000)
        return parse(text)

    monkeypatch.setattr(_safetensors, "parse", cut)
    with pytest.raises(ValueError, match="the file ended after"):
        _safetensors.read(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("kind", ["pipe", "folder", "nothing"])
def test_what_is_not_a_file(kind, tmp_path):
    path = tmp_path / "path"
    {"pipe": os.mkfifo, "folder": os.mkdir, "nothing": lambda _: None}[kind](path)
    with pytest.raises(OSError, match=re.escape(str(path))):
        _safetensors.read(path)
    with pytest.raises(OSError, match=re.escape(str(path))):
        _safetensors.write(path / "x" if kind == "nothing" else path, {}, {})


@pytest.mark.parametrize("path", [0, None, 1.5])
def test_what_is_not_a_path(path):
    """Above all not a file descriptor, from which open would read."""
    for call in (_safetensors.read, lambda path: _safetensors.write(path, {}, {})):
        with pytest.raises(TypeError):
            call(path)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read and write all files"
)
def test_files_without_permission(tmp_path):
    path = tmp_path / "file"
    _safetensors.write(path, TENSORS, {})
    path.chmod(0o444)
    with pytest.raises(PermissionError):
        _safetensors.write(path, TENSORS, {})
    path.chmod(0)
    with pytest.raises(PermissionError):
        _safetensors.read(path)


@pytest.mark.parametrize("array", [np.zeros(2, complex), np.array(["a"]), np.array([None])])
def test_a_dtype_that_the_format_lacks(array, tmp_path):
    with pytest.raises(ValueError, match=r"has no .* array 'a'"):
        _safetensors.write(tmp_path / "file", {"a": array}, {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "disk full"), KeyboardInterrupt()])
@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file(function, error, tmp_path, monkeypatch):
    path = tmp_path / "file"
    _safetensors.write(path, TENSORS, {})

    def fail(*args):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(os, function, fail)
        with pytest.raises(type(error)) as caught:
            _safetensors.write(path, {"a": np.zeros(9)}, {})
    if isinstance(error, OSError):
        assert caught.value.filename == str(path)
    assert_same(_safetensors.read(path)[0], TENSORS)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_a_full_disk(tmp_path, monkeypatch):
    opened = os.open

    def open_full(path, *args):
        return opened(path if os.path.isdir(path) else "/dev/full", os.O_WRONLY)

    monkeypatch.setattr(os, "open", open_full)
    with pytest.raises(OSError, match=re.escape(str(tmp_path / "file"))) as caught:
        _safetensors.write(tmp_path / "file", {"a": np.zeros(100_000)}, {})
    assert caught.value.errno == errno.ENOSPC
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_permissions(tmp_path):
    new, old = tmp_path / "new", tmp_path / "old"
    old.touch()
    old.chmod(0o640)
    before = os.umask(0o022)
    try:
        for path in (new, old):
            _safetensors.write(path, TENSORS, {})
    finally:
        os.umask(before)
    assert stat.S_IMODE(new.stat().st_mode) == 0o644
    assert stat.S_IMODE(old.stat().st_mode) == 0o640


def test_a_link_still_links(tmp_path):
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "file", tmp_path / "link"
    try:
        link.symlink_to(target)
    except OSError:
        pytest.skip("no links here")
    _safetensors.write(link, TENSORS, {})
    assert link.is_symlink()
    assert_same(_safetensors.read(target)[0], TENSORS)
