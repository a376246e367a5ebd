"""load_idx: arrays read as they were written, and errors for damaged files."""

import gzip

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from numpy.testing import assert_array_equal

from cymlp.datasets import _idx, load_idx
from idx import CODES, idx_bytes, idx_header, write

ARRAYS = st.sampled_from(sorted(CODES)).flatmap(
    lambda dtype: st_numpy.arrays(
        dtype, st_numpy.array_shapes(min_dims=1, max_dims=5, min_side=0, max_side=4)
    )
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A path for a file, for tests with many examples; every error must name it."""
    return tmp_path_factory.mktemp("idx") / "some-file"


def load(path, content, chunk=_idx._CHUNK):
    """The result of load_idx for a file with this content, read in chunks of this size."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_idx, "_CHUNK", chunk)
        return load_idx(write(path, content))


@given(ARRAYS, st.sampled_from([bytes, gzip.compress]), st.integers(1, 40))
@example(np.ones((1,) * 32, np.uint8), bytes, 1)
@example(np.array([-np.inf, -0.0, np.finfo(np.float32).tiny, np.nan], np.float32), bytes, 16)
@example(np.array([-(2**31), -1, 0, 2**31 - 1], np.int32), bytes, 15)
@example(np.array([-(2**15), -1, 0, 2**15 - 1], np.int16), gzip.compress, 1)
def test_arrays_are_read_as_they_were_written(path, array, compress, chunk):
    read = load(path, compress(idx_bytes(array)), chunk)
    assert read.dtype == array.dtype
    assert read.dtype.isnative
    assert read.flags.c_contiguous and read.flags.aligned and read.flags.writeable
    assert_array_equal(read, array, strict=True)
    assert_array_equal(np.signbit(read), np.signbit(array))


@given(ARRAYS, st.data())
def test_a_gzip_file_may_have_several_members(path, array, data):
    content = idx_bytes(array)
    cut = data.draw(st.integers(0, len(content)))
    members = gzip.compress(content[:cut]) + gzip.compress(content[cut:])
    assert_array_equal(load(path, members), array)


def test_the_name_does_not_matter_and_may_be_a_str(tmp_path):
    content = idx_bytes(np.arange(6, dtype=np.uint8).reshape(3, 2))
    for file in (
        write(tmp_path / "plain.gz", content),
        write(tmp_path / "gzipped", gzip.compress(content)),
    ):
        assert_array_equal(load_idx(file), load_idx(str(file)))
        assert load_idx(file).tolist() == [[0, 1], [2, 3], [4, 5]]


@given(ARRAYS, st.data())
def test_a_truncated_file(path, array, data):
    content = idx_bytes(array)
    length = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(ValueError, match=r"'.*some-file' is (not an IDX file|cut short)"):
        load(path, content[:length])


@given(ARRAYS, st.integers(1, 40), st.data())
def test_a_damaged_gzip_file(path, array, chunk, data):
    """Truncated, with a wrong checksum or length at its end, or followed by other data."""
    content = gzip.compress(idx_bytes(array))
    n = len(content)
    length = data.draw(st.integers(2, n - 1), label="length")
    wrong = data.draw(st.integers(n - 8, n - 1), label="wrong byte")
    for damaged in (
        content[:length],
        content[:wrong] + bytes([content[wrong] ^ 1]) + content[wrong + 1 :],
        content + b"more",
    ):
        with pytest.raises(ValueError, match=r"'.*some-file' is a damaged gzip file"):
            load(path, damaged, chunk)


def test_a_gzip_file_with_an_unknown_kind_of_block(path):
    content = bytearray(gzip.compress(idx_bytes(np.zeros(9, np.uint8))))
    content[10] |= 0b110
    with pytest.raises(ValueError, match=r"'.*some-file' is a damaged gzip file"):
        load(path, bytes(content))


@given(ARRAYS, st.binary(min_size=1), st.integers(1, 40))
def test_a_file_that_is_too_long(path, array, more, chunk):
    for compress in (bytes, gzip.compress):
        with pytest.raises(ValueError, match=r"'.*some-file' is longer than its shape") as caught:
            load(path, compress(idx_bytes(array) + more), chunk)
        assert f"{array.shape} and dtype {array.dtype.name}" in str(caught.value)
        assert f" {array.nbytes} bytes" in str(caught.value)


@pytest.mark.parametrize("members", [1, 2])
def test_data_beyond_the_dimensions_are_not_unpacked(tmp_path, monkeypatch, members):
    read = []

    class Counted(gzip.GzipFile):
        def read(self, size=-1):
            read.append(super().read(size))
            return read[-1]

    monkeypatch.setattr(gzip, "open", lambda file: Counted(fileobj=file))
    start, zeros = idx_header(0x08, (3,)) + bytes(3), bytes(3 * _idx._CHUNK)
    parts = [start + zeros] if members == 1 else [start, zeros]
    with pytest.raises(ValueError, match=r"longer than .*\(3,\).* 3 bytes"):
        load_idx(write(tmp_path / "bomb", b"".join(map(gzip.compress, parts))))
    assert sum(map(len, read)) == len(start) + 1


BIG = 2**32 - 1


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "is not an IDX file.*4 bytes.*only 0"),
        (b"\0\0\x08", "is not an IDX file.*4 bytes.*only 3"),
        (b"a,b\n1,2\n", "is not an IDX file.*two zero bytes.*61 2c"),
        (b"\0\x01\x08\x01", "is not an IDX file.*two zero bytes.*00 01"),
        (b"\0\0\x0a\x01\0\0\0\0", "is not an IDX file.*0x0A.*0x08, 0x09, 0x0B"),
        (b"\0\0\x08\0\x05", "is not an IDX file.*0 dimensions"),
        (idx_header(0x08, (2, 3))[:-1], "cut short.*2 dimensions.*8 bytes.*only 7"),
        (idx_header(0x08, (2, 3)), r"cut short.*\(2, 3\).*uint8.* 6 bytes.*it has 0\."),
        (idx_header(0x0C, (3,)) + bytes(11), "cut short.*int32.* 12 bytes.*it has 11"),
        # Dimensions whose data exceed any memory, or whose product overflows an int64.
        (idx_header(0x08, (BIG,)) + bytes(9), f"cut short.*{BIG} bytes.*has 9"),
        (idx_header(0x0E, (BIG,) * 3), f"cut short.*{8 * BIG**3} bytes"),
        (idx_header(0x08, (2**16,) * 4), f"cut short.*{2**64} bytes.*it has 0"),
        (idx_header(0x08, (0, *(BIG,) * 3)), "shape that NumPy cannot hold"),
        (idx_header(0x08, (1,) * 255) + b"\0", "shape that NumPy cannot hold"),
    ],
)
def test_errors_say_what_is_wrong(path, content, message):
    with pytest.raises(ValueError, match=f"some-file.*{message}"):
        load(path, content)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_idx(tmp_path / "missing")
