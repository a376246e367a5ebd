"""Windows of rows, each read while the one before is worked on."""

import threading
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array, issparse

from cymlp._network.row_source import SlicedRows
from cymlp._network.windows import WindowReader
from small import Sliced

N = 100
X = np.arange(2.0 * N).reshape(N, 2)


def reader(window_rows, then=lambda start, rows: rows, **attributes):
    return WindowReader(SlicedRows(Sliced(X, then, **attributes)), window_rows)


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert not [thread for thread in threading.enumerate() if "cymlp" in thread.name]


@given(
    st.integers(1, 120), st.integers(1, 40), st.none() | st.integers(0, 9),
    st.sampled_from([np.asarray, csr_array]),
)  # fmt: skip
def test_the_blocks_follow_each_other_cut_into_windows(window_rows, chunk, seed, form):
    windows = reader(window_rows, lambda _, rows: form(rows), chunks=(chunk, 2))
    blocks = None
    if seed is not None:
        blocks = np.random.default_rng(seed).permutation(windows.n_blocks)
    seen = []
    with closing(windows.read(blocks)) as parts:
        for rows, runs in parts:
            rows = rows.toarray() if issparse(rows) else rows.copy()
            assert_array_equal(rows, np.concatenate([X[start:stop] for start, stop in runs]))
            seen.append(rows[:, 0] / 2)
    assert {len(part) for part in seen[:-1]} <= {min(window_rows, N)}
    numbers = np.concatenate(seen)
    assert_array_equal(np.sort(numbers), np.arange(N))
    if blocks is None:
        assert_array_equal(numbers, np.arange(N))
    else:
        edges = SlicedRows(Sliced(X, chunks=(chunk, 2))).blocks(windows.window_rows)
        expected = [np.arange(edges[i], edges[i + 1]) for i in blocks]
        assert_array_equal(numbers, np.concatenate(expected))


def test_one_window_is_read_ahead_into_memory_that_is_used_again():
    begun = threading.Semaphore(0)

    def then(start, rows):
        begun.release()
        return rows

    windows = reader(25, then, chunks=(25, 2))
    assert begun.acquire(timeout=60)  # the sample
    seen = []
    with closing(windows.read()) as parts:
        for i, (rows, _) in enumerate(parts):
            for _ in range(2 if i == 0 else i < 3):
                assert begun.acquire(timeout=60)
            assert not begun.acquire(blocking=False)
            assert_array_equal(rows, X[25 * i : 25 * i + 25])  # although the next has been read
            seen.append(rows)
    assert seen[0].base is seen[2].base is not seen[1].base
    assert seen[1].base is seen[3].base


def test_an_error_comes_out_after_the_windows_before():
    def then(start, rows):
        if start == 50:
            raise OSError("no such block")
        return rows

    seen = []
    windows = reader(25, then, chunks=(25, 2))
    with pytest.raises(OSError, match="no such block"), closing(windows.read()) as parts:
        for _, runs in parts:
            seen.append(runs)
    assert seen == [[(0, 25)], [(25, 50)]]


def test_whoever_leaves_early_waits_for_one_slice_only():
    """The window that is being read is given up after the current block."""
    began, may_go_on = threading.Event(), threading.Event()
    data = []

    def then(start, rows):
        data.append(start)
        if start == 32:  # of the second window
            began.set()
            assert may_go_on.wait(60)
        return rows

    windows = reader(32, then)  # blocks of one row
    data.clear()
    parts = windows.read()
    next(parts)
    assert began.wait(60)
    threading.Timer(0.1, may_go_on.set).start()
    parts.close()
    assert data == list(range(33))
