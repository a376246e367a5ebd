"""The engine's kernels one by one: matrix products beside BLAS, and loops over elements.

The matrix products are those of a training step with n rows, d inputs and h outputs: the forward
pass, the update of the weights, and the delta passed back; each runs on one thread. The loops run
over 100,000 elements, which stay in cache.
"""

from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.report import Options, Results, new_results, number, progress, table
from benchmarks.timing import Ratio, call_seconds, geometric_mean, interleaved, ratio
from benchmarks.workloads import ADAM
from cymlp._engine import Architecture, UpdateRule, testing

DTYPES = ("float32", "float64")
SHAPES = [
    (1, 784, 32),
    (20, 784, 64),
    (32, 784, 256),
    (32, 256, 128),
    (64, 784, 300),
    (200, 784, 100),
    (512, 1024, 1024),
    (1500, 784, 100),
]
PRODUCTS = ("forward X W", "update W + X^T D", "back D W^T")
OWN, BLAS = "own kernel", "BLAS"
_ELEMENTS = (10_000, 10)
_LEAST_SECONDS = 0.01


def measure(options: Options) -> Results:
    """Time every selected kernel, in the selected dtypes."""
    results = new_results(options, ["cymlp", "numpy", "scipy"])
    with threadpool_limits(1, user_api="blas"):
        for dtype in options.dtypes:
            progress(dtype)
            results[dtype] = {
                "products": [
                    {
                        "product": product,
                        "shape": [n, d, h],
                        "flops": 2 * n * d * h,
                        "seconds": interleaved(
                            _contenders(product, n, d, h, dtype), options.rounds
                        ),
                    }
                    for product in PRODUCTS
                    for n, d, h in SHAPES
                    if options.takes(product)
                ],
                "elements": interleaved(
                    {
                        name: partial(call_seconds, call, before, _LEAST_SECONDS)
                        for name, (call, before) in _element_loops(dtype).items()
                        if options.takes(name)
                    },
                    options.rounds,
                ),
            }
    return results


def _contenders(product: str, n: int, d: int, h: int, dtype: str) -> dict[str, Callable[[], float]]:
    """Timers of a product by the engine's own kernel and by BLAS."""
    rng = np.random.default_rng(0)
    X, W, D = (rng.standard_normal(shape).astype(dtype) for shape in ((n, d), (d, h), (n, h)))
    transpose_a, transpose_b, alpha, A, B, beta, C = {
        PRODUCTS[0]: (False, False, 1.0, X, W, 0.0, D),
        PRODUCTS[1]: (True, False, -1e-6, X, D, 1.0, W),
        PRODUCTS[2]: (False, True, 1.0, D, W, 0.0, X),
    }[product]
    return {
        name: partial(
            call_seconds,
            partial(gemm, transpose_a, transpose_b, alpha, A, B, beta, C),
            least=_LEAST_SECONDS,
        )
        for name, gemm in ((OWN, testing.tiled_gemm), (BLAS, testing.blas_gemm))
    }


def _element_loops(
    dtype: str,
) -> dict[str, tuple[Callable[[], object], Callable[[], object] | None]]:
    """Loops over elements, each with a function that restores the array that it overwrites."""
    rng = np.random.default_rng(0)
    fresh = rng.standard_normal(_ELEMENTS).astype(dtype)
    Z, A = fresh.copy(), (np.abs(fresh) % 1).astype(dtype)
    T = np.eye(_ELEMENTS[1], dtype=dtype)[rng.integers(_ELEMENTS[1], size=_ELEMENTS[0])]
    row_weights = np.ones(_ELEMENTS[0], dtype=dtype)
    w, g = fresh.ravel().copy(), 1e-3 * A.ravel()
    renew = partial(np.copyto, Z, fresh)
    loops: dict[str, tuple[Callable[[], object], Callable[[], object] | None]] = {}
    for activation in ("logistic", "tanh", "relu"):
        architecture = Architecture((1, 1, 1), activation, "identity")
        loops[activation] = partial(testing.activate, architecture, Z), renew
        loops[f"derivative of {activation}"] = (
            partial(testing.multiply_derivative, architecture, A, Z),
            renew,
        )
    for output, loss in (
        ("softmax", "log_loss"),
        ("logistic", "log_loss"),
        ("identity", "squared_error"),
    ):
        architecture = Architecture((1, 1), "relu", output, loss=loss)
        delta = partial(testing.loss_and_delta, architecture, Z, T, row_weights)
        loops[f"{output}, loss and delta"] = delta, renew
    momentum = {"momentum": 0.9}
    rules: dict[str, dict[str, Any]] = {
        "sgd": {},
        "momentum": momentum,
        "nesterov": momentum,
        "adam": ADAM,
    }
    for rule, settings in rules.items():
        engine_rule = UpdateRule(rule, learning_rate=1e-3, **settings)
        state = np.zeros((engine_rule.n_states, w.size), dtype=dtype)
        loops[f"{rule} step"] = partial(testing.apply, engine_rule, w, g, state, 1e-6), None
    return loops


def _speed(case: dict[str, Any], name: str) -> float:
    """GFLOP/s."""
    return 1e-9 * case["flops"] / median(case["seconds"][name])


def _over_blas(case: dict[str, Any]) -> Ratio:
    return ratio(case["seconds"][BLAS], case["seconds"][OWN])


def _sizes(shape: Sequence[int]) -> str:
    return " x ".join(str(size) for size in shape)


def tables(results: Results) -> str:
    """GFLOP/s of the products for each dtype, then nanoseconds for each element."""
    dtypes = [dtype for dtype in DTYPES if dtype in results]
    text = ""
    for dtype in dtypes:
        cases = results[dtype]["products"]
        rows = [
            [
                case["product"],
                _sizes(case["shape"]),
                number(_speed(case, BLAS)),
                number(_speed(case, OWN)),
                str(_over_blas(case)),
            ]
            for case in cases
        ]
        if rows:
            mean = geometric_mean([_over_blas(case).middle for case in cases])
            rows.append(["geometric mean", "", "", "", f"{mean:.2f}x"])
            head = ["product", "n x d x h", BLAS, OWN, "ratio (least to most)"]
            text += f"{dtype}, GFLOP/s of one thread:\n\n{table(head, rows)}\n"
    n_elements = _ELEMENTS[0] * _ELEMENTS[1]
    rows = [
        [
            name,
            *(
                number(1e9 * median(results[dtype]["elements"][name]) / n_elements)
                for dtype in dtypes
            ),
        ]
        for name in results[dtypes[0]]["elements"]
    ]
    return text + f"ns an element, one thread:\n\n{table(['loop', *dtypes], rows)}"


def figures(results: Results) -> dict[str, Any]:
    """A figure for each dtype: the GFLOP/s of the products."""
    from benchmarks.charts import bars

    drawn = {}
    for dtype in DTYPES:
        cases = results[dtype]["products"]
        titled = {
            f"{product}, {dtype}: GFLOP/s": {
                name: [_speed(case, name) for case in cases if case["product"] == product]
                for name in (BLAS, OWN)
            }
            for product in PRODUCTS
        }
        drawn[dtype] = bars([_sizes(shape) for shape in SHAPES], titled)
    return drawn
