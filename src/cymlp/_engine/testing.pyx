"""The kernels one by one, on arrays: for tests and benchmarks."""
from cython cimport floating
from libc.stdlib cimport malloc

from cymlp._engine.kernels cimport activations, dropout, losses, update_rules
from cymlp._engine.kernels.blas cimport blas_gemm as _blas_gemm
from cymlp._engine.kernels.gemm cimport gemm as _gemm, pack_size, tiled_gemm as _tiled_gemm
from cymlp._engine.architecture cimport Architecture
from cymlp._engine.update_rule cimport UpdateRule


cdef void *PACK = malloc(pack_size(1_000_000) * sizeof(double))


cdef int check_product(bint transpose_a, bint transpose_b, A, B, C) except -1:
    """Make sure that C (m, n), op(A) (m, k) and op(B) (k, n) agree."""
    m, k = A.shape[::-1] if transpose_a else A.shape
    k_too, n = B.shape[::-1] if transpose_b else B.shape
    if k != k_too or C.shape != (m, n):
        raise ValueError(f"The shapes do not agree: A {A.shape}, B {B.shape}, C {C.shape}")
    return 0


def gemm(
    bint transpose_a, bint transpose_b, double alpha, const floating[:, ::1] A,
    const floating[:, ::1] B, double beta, floating[:, ::1] C, const floating[::1] row=None,
):
    """C (m, n) <- alpha op(A) (m, k) op(B) (k, n) + beta C, or + beta row (n,) in place of C."""
    check_product(transpose_a, transpose_b, A.base, B.base, C.base)
    cdef const floating *C_in = &C[0, 0]
    if row is not None:
        if row.shape[0] != C.shape[1]:
            raise ValueError("The row does not fit C")
        C_in = &row[0]
    _gemm(
        transpose_a, transpose_b, C.shape[0], C.shape[1],
        A.shape[0] if transpose_a else A.shape[1], <floating>alpha, &A[0, 0], A.shape[1],
        &B[0, 0], B.shape[1], <floating>beta, C_in, C.shape[1] if row is None else 0,
        &C[0, 0], C.shape[1], <floating *>PACK,
    )


def tiled_gemm(
    bint transpose_a, bint transpose_b, double alpha, const floating[:, ::1] A,
    const floating[:, ::1] B, double beta, floating[:, ::1] C,
):
    """As ``gemm``, by tiles in registers whatever the sizes."""
    check_product(transpose_a, transpose_b, A.base, B.base, C.base)
    _tiled_gemm(
        transpose_a, transpose_b, C.shape[0], C.shape[1],
        A.shape[0] if transpose_a else A.shape[1], <floating>alpha, &A[0, 0], A.shape[1],
        &B[0, 0], B.shape[1], <floating>beta, &C[0, 0], C.shape[1], &C[0, 0], C.shape[1],
        <floating *>PACK,
    )


def blas_gemm(
    bint transpose_a, bint transpose_b, double alpha, const floating[:, ::1] A,
    const floating[:, ::1] B, double beta, floating[:, ::1] C,
):
    """As ``gemm``, by BLAS whatever the sizes."""
    check_product(transpose_a, transpose_b, A.base, B.base, C.base)
    _blas_gemm(
        transpose_a, transpose_b, C.shape[0], C.shape[1],
        A.shape[0] if transpose_a else A.shape[1], <floating>alpha, &A[0, 0], A.shape[1],
        &B[0, 0], B.shape[1], <floating>beta, &C[0, 0], C.shape[1],
    )


def activate(Architecture net, floating[:, ::1] Z):
    """Z (n, h) <- f(Z), f the first hidden activation of ``net``."""
    activations.activate(net.fields.activation[0], &Z[0, 0], Z.shape[0] * Z.shape[1])


def multiply_derivative(Architecture net, const floating[:, ::1] A, floating[:, ::1] D):
    """D (n, h) <- D * f'(Z), from A = f(Z) (n, h)."""
    if A.shape[0] != D.shape[0] or A.shape[1] != D.shape[1]:
        raise ValueError("A and D must have one shape")
    activations.multiply_derivative(
        net.fields.activation[0], &A[0, 0], &D[0, 0], A.shape[0] * A.shape[1]
    )


def activate_keeping_slope(Architecture net, floating[:, ::1] Z, floating[:, ::1] slopes):
    """Z (n, h) <- f(Z), slopes (n, h) <- f'(Z)."""
    if Z.shape[0] != slopes.shape[0] or Z.shape[1] != slopes.shape[1]:
        raise ValueError("Z and the slopes must have one shape")
    activations.activate_keeping_derivative(
        net.fields.activation[0], &Z[0, 0], &slopes[0, 0], Z.shape[0] * Z.shape[1]
    )


def drop_out(
    floating[:, ::1] A, floating[:, ::1] slopes, double rate, unsigned long long seed,
    long long n_updates=0, Py_ssize_t layer=0, Py_ssize_t first=0,
):
    """A, slopes (n, h) <- 0 or / (1 - rate), for the mini-batch's rows from ``first`` on."""
    if A.shape[0] != slopes.shape[0] or A.shape[1] != slopes.shape[1]:
        raise ValueError("A and the slopes must have one shape")
    dropout.drop_out(
        &A[0, 0], &slopes[0, 0], A.shape[0], A.shape[1], rate,
        dropout.layer_key(seed, n_updates, layer), first,
    )


def output_delta(
    Architecture net, floating[:, ::1] Z, const floating[:, ::1] T, const floating[::1] w
):
    """Z (n, k) <- w dloss/dZ; return sum_i w_i loss_i, for targets T (n, k), weights w (n,)."""
    if Z.shape[0] != T.shape[0] or Z.shape[1] != T.shape[1] or w.shape[0] != T.shape[0]:
        raise ValueError("The shapes of Z, T and w do not agree")
    return losses.loss_and_delta(
        net.fields.output, net.fields.loss_parameter, &Z[0, 0], &T[0, 0], &w[0], Z.shape[0], Z.shape[1],
        NULL,
    )


def apply(
    UpdateRule update, floating[::1] w, floating[::1] g, floating[:, ::1] state, double penalty
):
    """w (size,) <- updated by its gradient g (size,), with the rule's state (n_states, size)."""
    cdef Py_ssize_t size = w.shape[0]
    if g.shape[0] != size or state.shape[0] != update.n_states or state.shape[1] != size:
        raise ValueError("The shapes of w, g and the state do not agree")
    update.fields.n_updates += 1
    update_rules.apply(
        &update.fields, &w[0], &g[0], &state[0, 0] if update.n_states else NULL, size, size,
        penalty, update.fields.weight_decay,
    )
