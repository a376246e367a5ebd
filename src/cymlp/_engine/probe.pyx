"""The kernels one by one, on arrays: for tests and benchmarks."""
from cython cimport floating

from cymlp._engine cimport kernels, updates
from cymlp._engine.blas cimport gemm as _gemm
from cymlp._engine.layout cimport Layout
from cymlp._engine.updates cimport Update


def gemm(
    bint transpose_a, bint transpose_b, double alpha, const floating[:, ::1] A,
    const floating[:, ::1] B, double beta, floating[:, ::1] C,
):
    """C (m, n) <- alpha op(A) (m, k) op(B) (k, n) + beta C."""
    cdef Py_ssize_t k = A.shape[0] if transpose_a else A.shape[1]
    if (
        k != (B.shape[1] if transpose_b else B.shape[0])
        or C.shape[0] != (A.shape[1] if transpose_a else A.shape[0])
        or C.shape[1] != (B.shape[0] if transpose_b else B.shape[1])
    ):
        raise ValueError("The shapes of A, B and C do not agree")
    _gemm(
        transpose_a, transpose_b, C.shape[0], C.shape[1], k, <floating>alpha, &A[0, 0],
        A.shape[1], &B[0, 0], B.shape[1], <floating>beta, &C[0, 0], C.shape[1],
    )


def activate(Layout net, floating[:, ::1] Z):
    """Z (n, h) <- f(Z), f the hidden activation of ``net``."""
    kernels.activate(net.activation, &Z[0, 0], Z.shape[0] * Z.shape[1])


def multiply_derivative(Layout net, const floating[:, ::1] A, floating[:, ::1] D):
    """D (n, h) <- D * f'(Z), from A = f(Z) (n, h)."""
    if A.shape[0] != D.shape[0] or A.shape[1] != D.shape[1]:
        raise ValueError("A and D must have one shape")
    kernels.multiply_derivative(net.activation, &A[0, 0], &D[0, 0], A.shape[0] * A.shape[1])


def link(Layout net, floating[:, ::1] Z):
    """Z (n, k) <- the outputs of ``net``."""
    kernels.link(net.output, &Z[0, 0], Z.shape[0], Z.shape[1])


def output_delta(Layout net, floating[:, ::1] Z, const floating[:, ::1] T, const floating[::1] w):
    """Z (n, k) <- w dloss/dZ; return sum_i w_i loss_i, for targets T (n, k), weights w (n,)."""
    if Z.shape[0] != T.shape[0] or Z.shape[1] != T.shape[1] or w.shape[0] != T.shape[0]:
        raise ValueError("The shapes of Z, T and w do not agree")
    return kernels.output_delta(
        net.output, &Z[0, 0], &T[0, 0], &w[0], Z.shape[0], Z.shape[1]
    )


def apply(
    Update update, floating[::1] w, const floating[::1] g, floating[:, ::1] state, double penalty
):
    """w (size,) <- updated by its gradient g (size,), with the rule's state (n_states, size)."""
    cdef Py_ssize_t size = w.shape[0]
    if g.shape[0] != size or state.shape[0] != update.n_states or state.shape[1] != size:
        raise ValueError("The shapes of w, g and the state do not agree")
    update.n_updates += 1
    updates.apply(
        update, &w[0], &g[0], &state[0, 0] if update.n_states else NULL, size, 0, size, penalty
    )
