"""The kernels one by one, on arrays: for tests and benchmarks; not in wheels."""
from cpython.buffer cimport PyBUF_FORMAT, PyBUF_STRIDES, PyBuffer_Release, PyObject_GetBuffer
from cython cimport floating
from libc.stdlib cimport free, malloc

from cymlp._engine.architecture cimport Architecture
from cymlp._engine.kernels cimport activations, dropout, losses, update_rules
from cymlp._engine.kernels.blas cimport blas_gemm as _blas_gemm
from cymlp._engine.kernels.conversion cimport (
    N_NUMBER_TYPES, NumberType, convert as _convert, number_type
)
from cymlp._engine.kernels.gemm cimport gemm as _gemm, pack_size, tiled_gemm as _tiled_gemm
from cymlp._engine.kernels.skipped_updates cimport (
    C_0, MOST_AGE, MOST_TERMS, add_update, begin_table, catch_up, plan_skipping, skipping_t
)
from cymlp._engine.kernels.weighted_rows cimport add_weighted_rows as _add_weighted_rows
from cymlp._engine.update_rule cimport UpdateRule


cdef class Memory:
    """Elements that a matrix product needs beside its operands."""

    cdef void *start

    def __cinit__(self, Py_ssize_t n_elements, Py_ssize_t itemsize):
        self.start = malloc(n_elements * itemsize)
        if self.start == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.start)


# For as many columns as a product packs at once.
cdef Memory PACK = Memory(pack_size(1_000_000), sizeof(double))


cdef int check_product(bint transpose_a, bint transpose_b, A, B, C) except -1:
    """Make sure that C (m, n), op(A) (m, k) and op(B) (k, n) agree."""
    m, k = A.shape[::-1] if transpose_a else A.shape
    k_too, n = B.shape[::-1] if transpose_b else B.shape
    if k != k_too or C.shape != (m, n):
        raise ValueError(f"The shapes do not agree: A {A.shape}, B {B.shape}, C {C.shape}")
    return 0


cdef int check_pair(const floating[:, ::1] A, const floating[:, ::1] B) except -1:
    """Make sure that A and B have one shape."""
    if A.shape[0] != B.shape[0] or A.shape[1] != B.shape[1]:
        raise ValueError("The arrays must have one shape")
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
        &C[0, 0], C.shape[1], <floating *>PACK.start,
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
        <floating *>PACK.start,
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


def activate(Architecture architecture, floating[:, ::1] Z):
    """Z (n, h) <- f(Z), f the first hidden activation of ``architecture``."""
    activations.activate(
        architecture.fields.activation[0], &Z[0, 0], Z.shape[0] * Z.shape[1]
    )


def multiply_derivative(Architecture architecture, const floating[:, ::1] A, floating[:, ::1] D):
    """D (n, h) <- D * f'(Z), from A = f(Z) (n, h)."""
    check_pair(A, D)
    activations.multiply_derivative(
        architecture.fields.activation[0], &A[0, 0], &D[0, 0], A.shape[0] * A.shape[1]
    )


def activate_keeping_derivative(
    Architecture architecture, floating[:, ::1] Z, floating[:, ::1] F
):
    """Z (n, h) <- f(Z), F (n, h) <- f'(Z)."""
    check_pair(Z, F)
    activations.activate_keeping_derivative(
        architecture.fields.activation[0], &Z[0, 0], &F[0, 0], Z.shape[0] * Z.shape[1]
    )


def drop_out(
    floating[:, ::1] A, floating[:, ::1] F, double rate, unsigned long long seed,
    long long n_updates=0, Py_ssize_t layer=0, Py_ssize_t first=0,
):
    """A, F (n, h) <- 0 or / (1 - rate), for the mini-batch's rows from ``first`` on."""
    check_pair(A, F)
    dropout.drop_out(
        &A[0, 0], &F[0, 0], A.shape[0], A.shape[1], rate,
        dropout.layer_key(seed, n_updates, layer), first,
    )


def loss_and_delta(
    Architecture architecture, floating[:, ::1] Z, const floating[:, ::1] T, const floating[::1] w
):
    """Z (n, k) <- w dloss/dZ; return sum_i w_i loss_i, for targets T (n, k), weights w (n,)."""
    check_pair(Z, T)
    if w.shape[0] != T.shape[0] or architecture.fields.loss == losses.NO_LOSS:
        raise ValueError("The weights must be as many as rows, and there must be a loss")
    return losses.loss_and_delta(
        architecture.fields.output_activation, architecture.fields.loss,
        architecture.fields.loss_parameter, &Z[0, 0], &T[0, 0], &w[0], Z.shape[0], Z.shape[1],
        NULL,
    )


def apply(
    UpdateRule rule, floating[::1] w, floating[::1] g, floating[:, ::1] state, double penalty
):
    """w (size,) <- updated by its gradient g (size,), with the rule's state (n_states, size)."""
    cdef Py_ssize_t size = w.shape[0]
    if g.shape[0] != size or state.shape[0] != rule.n_states or state.shape[1] != size:
        raise ValueError("The shapes of w, g and the state do not agree")
    update_rules.begin_update(&rule.fields)
    update_rules.apply(
        &rule.fields, &w[0], &g[0], &state[0, 0] if rule.n_states else NULL, size, size,
        penalty, rule.fields.weight_decay,
    )


def skip_updates(
    UpdateRule rule, floating[::1] w, floating[:, ::1] state, const double[::1] rates,
    double penalty, double precision, Py_ssize_t most_age=MOST_AGE,
):
    """w (size,) and state (n_states, size) <- after an update without a gradient at each rate.

    As many at once as can be, ``most_age`` at most; return that number, 0 if none can.
    """
    cdef skipping_t skipping
    cdef double[(MOST_AGE + 1) * (C_0 + MOST_TERMS)] table
    cdef Py_ssize_t size = w.shape[0], i
    cdef int age = 0
    cdef floating *states = NULL
    if state.shape[0] != rule.n_states or state.shape[1] != size:
        raise ValueError("The shapes of w and the state do not agree")
    if rule.n_states:
        states = &state[0, 0]
    plan_skipping(&skipping, &rule.fields, penalty, most_age, precision)
    if skipping.ages == 0:
        return 0
    begin_table(&skipping, table)
    for i in range(rates.shape[0]):
        rule.fields.learning_rate = rates[i]
        update_rules.begin_update(&rule.fields)
        add_update(&skipping, &rule.fields, penalty, rule.fields.weight_decay, i, table)
        age += 1
        if age == skipping.ages or i + 1 == rates.shape[0]:
            catch_up(&skipping, &rule.fields, table, &age, 1, size, &w[0], states, size)
            age = 0
    return skipping.ages


def add_weighted_rows(
    const floating[::1] x, const int[::1] rows, const floating[:, ::1] W, floating[::1] z
):
    """z (h,) <- z + sum_k x_k W[rows_k]."""
    if x.shape[0] != rows.shape[0] or W.shape[1] != z.shape[0]:
        raise ValueError("The shapes do not agree")
    _add_weighted_rows(z.shape[0], x.shape[0], &x[0], &rows[0], &W[0, 0], &z[0])


def convert(X, floating[::1] out):
    """out (n,) <- X (n,), of any type that the engine reads and with any stride."""
    cdef Py_buffer source
    cdef NumberType number
    PyObject_GetBuffer(X, &source, PyBUF_STRIDES | PyBUF_FORMAT)
    try:
        number = number_type(source.format, source.itemsize)
        if number == N_NUMBER_TYPES or source.ndim != 1 or source.shape[0] != out.shape[0]:
            raise ValueError("X must be a vector of numbers, as many as there are in out")
        _convert(
            number, <const char *>source.buf, source.strides[0], source.shape[0],
            &out[0] if out.shape[0] else NULL,
        )
    finally:
        PyBuffer_Release(&source)
