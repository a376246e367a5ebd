"""The engine's kernels, one by one, against NumPy and SciPy."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, ndtr
from scipy.special import softmax as scipy_softmax

from cymlp._engine import Architecture, UpdateRule, apply_output_activation
from reference import (
    ACTIVATIONS,
    KEEPING_DERIVATIVE,
    LINKS,
    LOSS_PARAMETERS,
    LOSSES,
    OUTPUTS,
    SELU_ALPHA,
    SELU_SCALE,
    ReferenceUpdate,
    delta,
    targets_for,
)

try:
    from cymlp._engine import testing
except ImportError as error:
    pytest.skip(str(error), allow_module_level=True)

DTYPES = [np.float32, np.float64]
RTOL = {np.float32: 1e-5, np.float64: 1e-13}


def architecture(activation="relu", output="identity", units=(1, 1, 1)):
    output_activation, loss = OUTPUTS[output]
    return Architecture(
        units,
        activation,
        output_activation,
        loss=loss,
        loss_parameter=LOSS_PARAMETERS.get(output, 0.0),
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
@pytest.mark.parametrize(
    "m, n, k",
    [
        (1, 1, 1), (1, 7, 3), (5, 1, 9), (17, 13, 31), (64, 33, 65), (8, 48, 256), (3, 100, 513),
        (70, 530, 300), (2, 17, 5), (7, 64, 2),
    ],
)  # fmt: skip
@pytest.mark.parametrize("alpha, beta", [(1.0, 0.0), (-0.3, 1.0), (2.0, 0.5)])
@pytest.mark.parametrize("product", [testing.gemm, testing.tiled_gemm, testing.blas_gemm])
def test_gemm(product, dtype, transpose_a, transpose_b, m, n, k, alpha, beta):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((k, m) if transpose_a else (m, k)).astype(dtype)
    B = rng.standard_normal((n, k) if transpose_b else (k, n)).astype(dtype)
    C = rng.standard_normal((m, n)).astype(dtype)
    exact = (A.T if transpose_a else A) @ (B.T if transpose_b else B)
    expected = alpha * exact + beta * C
    if beta == 0:
        C[...] = np.nan  # what stands there must not matter
    product(transpose_a, transpose_b, alpha, A, B, beta, C)
    assert_allclose(C, expected, rtol=RTOL[dtype], atol=RTOL[dtype] * (10 + k))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("m, n, k", [(1, 1, 1), (17, 13, 31), (9, 100, 300), (40, 500, 60)])
def test_gemm_plus_a_row(dtype, m, n, k):
    """With a row in C's place, as for a layer's intercepts, by tiles and by BLAS."""
    rng = np.random.default_rng(0)
    A, B = (rng.standard_normal(shape).astype(dtype) for shape in ((m, k), (k, n)))
    row, C = rng.standard_normal(n).astype(dtype), np.full((m, n), np.nan, dtype=dtype)
    testing.gemm(False, False, 1.0, A, B, 1.0, C, row)
    assert_allclose(C, A @ B + row, rtol=RTOL[dtype], atol=RTOL[dtype] * (10 + k))


def test_gemm_writes_and_reads_within_its_matrices():
    """Where rows end within a vector, what lies beyond them is not touched, be it NaN."""
    for dtype in DTYPES:
        for m, n, k in ((3, 5, 7), (9, 50, 20), (2, 65, 300)):
            memory = np.full(m * n + 64, np.nan, dtype=dtype)
            C = memory[: m * n].reshape(m, n)
            A, B = np.ones((m, k), dtype=dtype), np.full(k * n + 64, np.nan, dtype=dtype)
            B[: k * n] = 1
            testing.tiled_gemm(False, False, 1.0, A, B[: k * n].reshape(k, n), 0.0, C)
            assert_array_equal(C, k)
            assert np.isnan(memory[m * n :]).all()


def test_gemm_lets_nan_through():
    A = np.ones((3, 20))
    A[1, 7] = np.nan
    C = np.zeros((3, 5))
    testing.tiled_gemm(False, False, 1.0, A, np.ones((20, 5)), 0.0, C)
    assert_array_equal(np.isnan(C), [[False] * 5, [True] * 5, [False] * 5])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (7, 33)])
def test_activation_and_derivative(dtype, activation, shape):
    f, df = ACTIVATIONS[activation]
    rng = np.random.default_rng(0)
    Z = (3 * rng.standard_normal(shape)).astype(dtype)
    D = rng.standard_normal(shape).astype(dtype)
    derivative = df(Z.astype(np.float64))
    A, A_too, F = Z.copy(), Z.copy(), np.full_like(Z, np.nan)
    testing.activate(architecture(activation), A)
    assert_allclose(A, f(Z.astype(np.float64)), rtol=RTOL[dtype], atol=RTOL[dtype])
    testing.activate_keeping_derivative(architecture(activation), A_too, F)
    assert_array_equal(A_too, A)
    assert_allclose(F, derivative, rtol=10 * RTOL[dtype], atol=RTOL[dtype])
    if activation not in KEEPING_DERIVATIVE:
        expected = D * derivative
        testing.multiply_derivative(architecture(activation), A, D)
        assert_allclose(D, expected, rtol=10 * RTOL[dtype], atol=RTOL[dtype])


# At -1e30, -1e4, 0, 1e4, 1e30 and NaN; those beyond 0 go on as z does.
ENDS = {
    "logistic": ([0, 0, 0.5, 1, 1, np.nan], [0, 0, 0.25, 0, 0, np.nan]),
    "tanh": ([-1, -1, 0, 1, 1, np.nan], [0, 0, 1, 0, 0, np.nan]),
    "relu": ([0, 0, 0, 1e4, 1e30, np.nan], [0, 0, 0, 1, 1, 1]),
    "leaky_relu": ([-1e28, -1e2, 0, 1e4, 1e30, np.nan], [0.01, 0.01, 1, 1, 1, 1]),
    "elu": ([-1, -1, 0, 1e4, 1e30, np.nan], [0, 0, 1, 1, 1, 1]),
    "selu": (
        [-SELU_SCALE * SELU_ALPHA, -SELU_SCALE * SELU_ALPHA, 0, SELU_SCALE * 1e4,
         SELU_SCALE * 1e30, np.nan],
        [0, 0, SELU_SCALE, SELU_SCALE, SELU_SCALE, SELU_SCALE],
    ),
    "gelu": ([0, 0, 0, 1e4, 1e30, np.nan], [0, 0, 0.5, 1, 1, np.nan]),
    "silu": ([0, 0, 0, 1e4, 1e30, np.nan], [0, 0, 0.5, 1, 1, np.nan]),
    "mish": ([0, 0, 0, 1e4, 1e30, np.nan], [0, 0, 0.6, 1, 1, np.nan]),
    "softplus": ([0, 0, np.log(2), 1e4, 1e30, np.nan], [0, 0, 0.5, 1, 1, np.nan]),
}  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ENDS)
def test_activation_at_the_ends(dtype, activation):
    """Nothing overflows; NaN shows in the outputs, if not in the derivative."""
    outputs, derivatives = (np.array(values) for values in ENDS[activation])
    Z = np.array([[-1e30, -1e4, 0.0, 1e4, 1e30, np.nan]], dtype=dtype)
    F, A = np.full_like(Z, np.nan), Z.copy()
    testing.activate(architecture(activation), A)
    testing.activate_keeping_derivative(architecture(activation), Z, F)
    epsilon = np.finfo(dtype).eps
    for result in (A, Z):
        assert_allclose(result[0], outputs, rtol=4 * epsilon)
    assert_allclose(F[0], derivatives, rtol=4 * epsilon, atol=2 * epsilon)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "activation, ends",
    [("logistic", [0, 1]), ("tanh", [-1, 1]), ("relu", [0, np.inf]), ("elu", [-1, np.inf])],
)
def test_activation_at_infinity(dtype, activation, ends):
    Z = np.array([[-np.inf, np.inf]], dtype=dtype)
    testing.activate(architecture(activation), Z)
    assert_array_equal(Z[0], ends)


def ulps(result, exact):
    """Distances of results from longer exact values, in units of the last place."""
    result, exact = result[exact != 0], exact[exact != 0]
    return np.abs((result - exact) / np.spacing(np.abs(exact).astype(result.dtype)))


@pytest.mark.parametrize(
    "dtype, longer, ends",
    [(np.float32, np.float64, (-104, 88.7)), (np.float64, np.longdouble, (-745, 709.7))],
)
def test_exp_to_the_last_places(dtype, longer, ends):
    """Over the whole range, subnormal results included, and for small arguments of any size."""
    small = np.logspace(-30, 0, 10_000)
    x = np.concatenate([np.linspace(*ends, 400_001), small, -small]).astype(dtype)
    result = x[:, None].copy()
    apply_output_activation(architecture(output="exp"), result)
    assert ulps(result[:, 0], np.exp(x.astype(longer))).max() < 2


@pytest.mark.parametrize("dtype, longer", [(np.float32, np.float64), (np.float64, np.longdouble)])
def test_tanh_to_the_last_places(dtype, longer):
    small = np.logspace(-30, 0, 10_000)
    x = np.concatenate([np.linspace(-25, 25, 400_001), small, -small]).astype(dtype)
    result = x[None].copy()
    testing.activate(architecture("tanh"), result)
    assert ulps(result[0], np.tanh(x.astype(longer))).max() < 3


def dense(low, high):
    """Numbers from low to high, and small ones of either sign that lie between them."""
    small = np.logspace(-30, 0, 10_000)
    x = np.concatenate([np.linspace(low, high, 400_001), small, -small])
    return x[(x >= low) & (x <= high)]


# What elu returns for z < 0 is expm1; what softplus returns there, log1p of what exp returns.
@pytest.mark.parametrize("dtype, longer", [(np.float32, np.float64), (np.float64, np.longdouble)])
@pytest.mark.parametrize(
    "activation, exact, ends",
    [
        ("elu", np.expm1, (-60, 0)),
        ("softplus", lambda x: np.log1p(np.exp(x)), (-80, 0)),
        ("softplus", lambda x: x + np.log1p(np.exp(-x)), (0, 80)),
    ],
)
def test_expm1_and_log1p_to_the_last_places(activation, exact, ends, dtype, longer):
    x = dense(*ends).astype(dtype)
    result = x[None].copy()
    testing.activate(architecture(activation), result)
    assert ulps(result[0], exact(x.astype(longer))).max() < 3


@pytest.mark.parametrize("dtype, longer", [(np.float32, np.float64), (np.float64, np.longdouble)])
def test_gelu_to_the_last_places(dtype, longer):
    """Within 2 units of the last place of z: erf is that close to 1, and gelu is z (1 + erf) / 2.

    Above 0 it is within 3 of its own. SciPy's ndtr has 16 digits, the float64's own.
    """
    x = dense(-40, 40).astype(dtype)
    result = x[None].copy()
    testing.activate(architecture("gelu"), result)
    exact = x.astype(longer) * ndtr(x.astype(np.float64))
    assert (np.abs(result[0] - exact) <= 2 * np.spacing(np.abs(x))).all()
    assert ulps(result[0][x > 0], exact[x > 0]).max() < 3


@pytest.mark.parametrize("dtype", DTYPES)
def test_exp_at_the_ends(dtype):
    x = np.array([-np.inf, -1e4, -0.0, 0.0, 1e4, np.inf, np.nan], dtype=dtype)
    apply_output_activation(architecture(output="exp"), x[:, None])
    assert_array_equal(x, [0, 0, 1, 1, np.inf, np.inf, np.nan])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("output", LINKS)
def test_output_activation(dtype, output):
    Z = np.random.default_rng(0).standard_normal((6, 4)).astype(dtype)
    expected = LINKS[output](Z.astype(np.float64))
    apply_output_activation(architecture(output=output, units=(1, 4)), Z)
    assert_allclose(Z, expected, rtol=RTOL[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("output", LINKS)
def test_loss_and_delta(dtype, k, output):
    rng = np.random.default_rng(0)
    n = 9
    Z = rng.standard_normal((n, k)).astype(dtype)
    T = targets_for(output, n, k, rng).astype(dtype)
    w = rng.uniform(0, 2, n).astype(dtype)
    outputs = LINKS[output](Z.astype(np.float64))
    losses = LOSSES[output](outputs, T.astype(np.float64))
    expected = w[:, None] * delta(output, outputs, T)
    if output == "identity":
        losses = losses / k
    loss = testing.loss_and_delta(architecture(output=output), Z, T, w)
    assert_allclose(loss, w @ losses, rtol=10 * RTOL[dtype], atol=RTOL[dtype])
    assert_allclose(Z, expected, rtol=1e-4, atol=10 * RTOL[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1e4, 1e6, 1e30])
@pytest.mark.parametrize("output", ["logistic", "softmax"])
def test_log_losses_do_not_overflow(dtype, output, size):
    """Sure and right costs nothing, sure and wrong costs -log of the dtype's epsilon."""
    epsilon = float(np.finfo(dtype).eps)
    Z = np.array([[size, -size], [-size, size]], dtype=dtype)
    T = np.array([[1, 0], [1, 0]], dtype=dtype)
    w = np.array([1, 0], dtype=dtype)
    right = testing.loss_and_delta(architecture(output=output), Z.copy(), T, w)
    wrong = testing.loss_and_delta(architecture(output=output), Z, T, w[::-1].copy())
    n_terms = {"logistic": 2, "softmax": 1}[output]
    assert_allclose(right, 0, atol=3 * epsilon)
    assert_allclose(wrong, -n_terms * np.log(epsilon), rtol=1e-6)
    assert_array_equal(Z, [[0, 0], [-1, 1]])


@pytest.mark.parametrize("dtype", DTYPES)
def test_poisson_far_out_gives_no_nan(dtype):
    """exp underflows to 0 on the one side, and may overflow to inf on the other."""
    poisson = architecture(output="exp")
    w = np.ones(1, dtype=dtype)
    for t in (0.0, 3.0):
        T = np.array([[t]], dtype=dtype)
        Z = np.array([[-1e4]], dtype=dtype)
        loss = testing.loss_and_delta(poisson, Z, T, w)
        assert_allclose(loss, t * np.log(t) + 1e4 * t - t if t else 0, rtol=1e-6)
        assert Z[0, 0] == -t
        Z = np.array([[1e4]], dtype=dtype)
        assert testing.loss_and_delta(poisson, Z, T, w) == np.inf
        assert Z[0, 0] == np.inf


@pytest.mark.parametrize("output", LINKS)
def test_nan_is_not_hidden(output):
    Z = np.array([[np.nan, 1.0]])
    T = np.array([[1.0, 0.0]])
    assert np.isnan(testing.loss_and_delta(architecture(output=output), Z, T, np.ones(1)))
    assert np.isnan(Z[0, 0])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", ["sgd", "momentum", "nesterov", "adam"])
def test_update_rules(dtype, rule):
    rng = np.random.default_rng(0)
    w = rng.standard_normal(37).astype(dtype)
    settings = {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-6} if rule == "adam" else {}
    if rule in ("momentum", "nesterov"):
        settings = {"momentum": 0.7}
    engine_rule = UpdateRule(rule, learning_rate=0.1, **settings)
    reference = ReferenceUpdate(rule, 0.1, **settings)
    state = np.zeros((engine_rule.n_states, w.size), dtype=dtype)
    expected = w.astype(np.float64)
    for _ in range(5):
        g = rng.standard_normal(w.size).astype(dtype)
        expected = reference(expected, g + 0.03 * expected)
        testing.apply(engine_rule, w, g, state, 0.03)
    assert engine_rule.n_updates == 5
    assert_allclose(w, expected, rtol=100 * RTOL[dtype], atol=10 * RTOL[dtype])


def test_shapes_are_checked():
    square, flat = np.ones((2, 2)), np.ones(2)
    with pytest.raises(ValueError, match="do not agree"):
        testing.gemm(False, False, 1.0, np.ones((2, 3)), square, 0.0, square)
    with pytest.raises(ValueError, match="one shape"):
        testing.loss_and_delta(architecture(), square, np.ones((3, 2)), flat)
    with pytest.raises(ValueError, match="do not agree"):
        testing.apply(UpdateRule("adam", learning_rate=1), flat, flat, np.ones((1, 2)), 0.0)


def test_reference_is_correct():
    """The reference's own functions against SciPy's."""
    Z = np.random.default_rng(0).standard_normal((5, 3))
    assert_allclose(LINKS["softmax"](Z), scipy_softmax(Z, axis=1))
    assert_allclose(LINKS["logistic"](Z), expit(Z))
