"""A network: one vector and its views, outputs against NumPy, copies and pickles."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from scipy.special import expit, softmax

from cymlp._network.network import Network, NotFiniteError

UNITS = (5, 4, 3, 2)


def network(units=UNITS, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    size = sum((a + 1) * b for a, b in pairwise(units))
    return Network(units, rng.standard_normal(size).astype(dtype))


class TestViews:
    def test_weights_come_first_then_intercepts(self):
        net = Network((2, 3, 1), np.arange(13.0))
        assert_array_equal(net.coefs[0], [[0, 1, 2], [3, 4, 5]])
        assert_array_equal(net.coefs[1], [[6], [7], [8]])
        assert_array_equal(net.intercepts[0], [9, 10, 11])
        assert_array_equal(net.intercepts[1], [12])

    def test_writing_into_a_view_changes_the_parameters(self):
        net = network()
        for view in net.coefs + net.intercepts:
            view[...] = 7
        assert (net.parameters == 7).all()

    def test_consists_of(self):
        net = network()
        coefs, intercepts = list(net.coefs), list(net.intercepts)
        assert net.consists_of(coefs, intercepts)
        assert not net.consists_of(coefs[:-1], intercepts)
        assert not net.consists_of(coefs, [*intercepts[:-1], intercepts[-1].copy()])
        assert not net.consists_of([coefs[0][:], *coefs[1:]], intercepts)


class TestInitialized:
    def test_layer_by_layer(self):
        asked, random_state = [], np.random.RandomState(0)

        def initialize(fan_in, fan_out, rng):
            asked.append((fan_in, fan_out, rng))
            return np.full((fan_in, fan_out), fan_in), np.full(fan_out, -fan_out)

        net = Network.initialized(UNITS, np.float32, initialize, random_state)
        assert asked == [(5, 4, random_state), (4, 3, random_state), (3, 2, random_state)]
        assert net.parameters.dtype == np.float32
        for W, b, (fan_in, fan_out, _) in zip(net.coefs, net.intercepts, asked, strict=True):
            assert_array_equal(W, fan_in)
            assert_array_equal(b, -fan_out)

    @pytest.mark.parametrize(
        "sizes", [(2**31,), (2**31 - 1, 2**31 - 1), (2**20, 2**20), (2**40,)], ids=str
    )
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_sizes_do_not_overflow(self, sizes, dtype):
        """Huge layers raise a MemoryError or a ValueError."""
        with pytest.raises((MemoryError, ValueError), match=r"Unable to allocate|units|too big"):
            Network.initialized((3, *sizes, 1), dtype, None, np.random.RandomState(0))


class TestFromArrays:
    def test_arrays_are_copied(self):
        net = network()
        copied = Network.from_arrays(net.coefs, net.intercepts)
        assert copied.units == UNITS
        assert_array_equal(copied.parameters, net.parameters)
        assert not np.shares_memory(copied.parameters, net.parameters)

    @pytest.mark.parametrize("dtype_of_one", [np.float64, np.int64, np.float32])
    def test_float32_only_if_all_arrays_are(self, dtype_of_one):
        net = network(dtype=np.float32)
        intercepts = [*net.intercepts[:-1], net.intercepts[-1].astype(dtype_of_one)]
        expected = np.float32 if dtype_of_one is np.float32 else np.float64
        assert Network.from_arrays(net.coefs, intercepts).parameters.dtype == expected

    def test_lists_of_integers(self):
        net = Network.from_arrays([[[1, 2], [3, 4]]], [[5, 6]])
        assert_array_equal(net.parameters, np.arange(1.0, 7))

    @pytest.mark.parametrize(
        "spoil, message",
        [
            (lambda W, b: ([W[0].T, *W[1:]], b), "shapes of the layers do not agree"),
            (lambda W, b: (W, [b[0][1:], *b[1:]]), "shapes of the layers do not agree"),
            (lambda W, b: (W, [b[0][:, None], *b[1:]]), "shapes of the layers do not agree"),
            (lambda W, b: (W, b[1:]), "shapes of the layers do not agree"),
            (lambda W, b: (W[1:], b), "shapes of the layers do not agree"),
            (lambda W, b: ([W[0][0], *W[1:]], b), "list of matrices"),
            (lambda W, b: ([], []), "list of matrices"),
        ],
        ids=["transposed", "b short", "b a column", "b missing", "W missing", "W a row", "none"],
    )
    def test_mismatched_shapes(self, spoil, message):
        net = network()
        with pytest.raises(ValueError, match=message):
            Network.from_arrays(*spoil(list(net.coefs), list(net.intercepts)))


def by_numpy(net, X, activations, linked):
    """Outputs computed with NumPy from the formulas."""
    for W, b, f in zip(net.coefs[:-1], net.intercepts[:-1], activations, strict=True):
        X = f(X @ W + b)
    return linked(X @ net.coefs[-1] + net.intercepts[-1])


class TestOutputs:
    LINKED = pytest.mark.parametrize(
        "name, linked",
        [("identity", lambda Z: Z), ("exp", np.exp), ("logistic", expit),
         ("softmax", lambda Z: softmax(Z, axis=1))],
    )  # fmt: skip

    @LINKED
    @pytest.mark.parametrize("dtype, n", [(np.float64, 1), (np.float64, 3000), (np.float32, 30)])
    def test_against_numpy(self, name, linked, dtype, n):
        net = network(dtype=dtype)
        X = np.random.default_rng(1).standard_normal((n, 5)).astype(dtype)
        Z = net.outputs(X, ("tanh", "relu"), name)
        assert Z.dtype == dtype
        expected = by_numpy(net, X, (np.tanh, lambda z: np.maximum(z, 0)), linked)
        assert_allclose(Z, expected, rtol=1e-4 if dtype == np.float32 else 1e-10, atol=1e-6)
        bare = net.outputs(X, ("tanh", "relu"), name, apply_output_activation=False)
        assert_allclose(linked(bare), Z, rtol=1e-4, atol=1e-6)

    @given(
        n=st.integers(1, 40), hidden=st.lists(st.integers(1, 9), max_size=3),
        seed=st.integers(0, 999), density=st.sampled_from([0.0, 0.3, 1.0]),
        n_jobs=st.sampled_from([None, 1, 2]),
    )  # fmt: skip
    @settings(max_examples=30)
    def test_rows_are_independent_and_may_be_sparse(self, n, hidden, seed, density, n_jobs):
        """Permuting the rows permutes the outputs, for dense and sparse X."""
        rng = np.random.default_rng(seed)
        net = network((6, *hidden, 3), seed=seed)
        X = rng.standard_normal((n, 6)) * (rng.random((n, 6)) < density)
        rows = rng.integers(n, size=1 + n // 2)
        whole = net.outputs(X, "tanh", "softmax")
        for data in (X, csr_array(X)):
            for part in (
                net.outputs(data, "tanh", "softmax", rows=rows, n_jobs=n_jobs),
                net.outputs(data[rows], "tanh", "softmax", n_jobs=n_jobs),
            ):
                assert_allclose(part, whole[rows], rtol=1e-9, atol=1e-12)

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("n_jobs", [1, 2])
    def test_check_finite(self, value, n_jobs):
        X = np.zeros((500, 5))
        X[499, 4] = value
        with pytest.raises(NotFiniteError, match="NaN or infinity"):
            network().outputs(X, "relu", "identity", check_finite=True, n_jobs=n_jobs)
        network().outputs(X, "relu", "identity", check_finite=False, n_jobs=n_jobs)

    def test_another_activation_later(self):
        net, X = network(), np.ones((2, 5))
        first = net.outputs(X, "relu", "identity")
        assert np.abs(net.outputs(X, "tanh", "identity") - first).max() > 0.01
        assert np.abs(net.outputs(X, "relu", "exp") - first).max() > 0.01
        assert_array_equal(net.outputs(X, "relu", "identity"), first)


class TestCopies:
    def test_a_copy_has_its_own_parameters(self):
        net = network()
        twin = net.copy()
        assert_array_equal(twin.parameters, net.parameters)
        twin.coefs[0][...] = 7
        assert not (net.parameters == 7).any()

    def test_another_dtype(self):
        net = network()
        assert net.astype(np.float64) is net
        single = net.astype(np.float32)
        assert single.parameters.dtype == single.coefs[0].dtype == np.float32
        assert_allclose(single.parameters, net.parameters, rtol=1e-6)

    def test_a_pickle_has_the_parameters_once(self):
        net = network((100, 200, 2))
        net.outputs(np.ones((1, 100)), "relu", "identity")
        pickled = pickle.dumps(net)
        assert len(pickled) < net.parameters.nbytes + 1000
        twin = pickle.loads(pickled)
        assert twin.units == net.units
        assert_array_equal(twin.parameters, net.parameters)
        assert np.shares_memory(twin.coefs[0], twin.parameters)

    def test_is_finite(self):
        for i in (0, -1):
            net = network()
            assert net.is_finite()
            net.parameters[i] = np.nan
            assert not net.is_finite()
