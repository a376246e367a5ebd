"""The samples of a run, read where they lie: rows of X, their targets and weights.

A batch is n rows: ``rows[0], ..., rows[n - 1]``, or, where ``rows`` is NULL, the
consecutive ones from ``first`` on. Letters as in ``engine.pyx``.
"""
from cpython.buffer cimport Py_buffer
from cython cimport floating
from libc.string cimport memcpy, memset

ctypedef fused index_t:
    int
    long long


cdef class Samples:
    cdef readonly Py_ssize_t n_samples, n_features
    cdef readonly bint sparse
    cdef bint indicator          # targets are bytes, 0 or 1, instead of X's dtype
    cdef Py_buffer X             # dense: (n_samples, n_features), any strides
    cdef Py_buffer data, indices, indptr    # sparse: the CSR matrix
    cdef Py_buffer targets       # (n_samples, n_outputs)
    cdef Py_buffer weights       # (n_samples,), or without memory where all are 1


cdef inline Py_ssize_t row_of(
    const Py_ssize_t *rows, Py_ssize_t first, Py_ssize_t i
) noexcept nogil:
    """The sample that is row i of the batch."""
    return first + i if rows == NULL else rows[i]


cdef inline const floating *dense_batch(
    Samples samples, const Py_ssize_t *rows, Py_ssize_t first, Py_ssize_t n,
    floating *A, Py_ssize_t *stride,
) noexcept nogil:
    """The batch's rows of X as an (n, d) matrix whose rows are ``stride`` elements apart.

    They are gathered into A (n, d), unless they already lie as BLAS wants them.
    """
    cdef Py_ssize_t d = samples.n_features, i, j
    cdef Py_ssize_t row_stride = samples.X.strides[0], column_stride = samples.X.strides[1]
    cdef const char *start = <const char *>samples.X.buf
    cdef const char *row
    cdef bint contiguous = d == 1 or column_stride == sizeof(floating)
    if (
        contiguous and (rows == NULL or n == 1)
        and row_stride >= d * <Py_ssize_t>sizeof(floating)
        and row_stride % sizeof(floating) == 0
        and row_stride // <Py_ssize_t>sizeof(floating) < 2147483647
    ):
        stride[0] = row_stride // <Py_ssize_t>sizeof(floating)
        return <const floating *>(start + row_of(rows, first, 0) * row_stride)
    stride[0] = d
    for i in range(n):
        row = start + row_of(rows, first, i) * row_stride
        if contiguous:
            memcpy(A + i * d, row, d * sizeof(floating))
        else:
            for j in range(d):
                A[i * d + j] = (<const floating *>(row + j * column_stride))[0]
    return A


cdef inline void gather_targets(
    Samples samples, const Py_ssize_t *rows, Py_ssize_t first, Py_ssize_t n, Py_ssize_t h,
    floating *T,
) noexcept nogil:
    """T (n, h) <- the batch's targets."""
    cdef Py_ssize_t i, j, start
    for i in range(n):
        start = row_of(rows, first, i) * h
        if samples.indicator:
            for j in range(h):
                T[i * h + j] = (<const unsigned char *>samples.targets.buf)[start + j]
        else:
            memcpy(T + i * h, <const floating *>samples.targets.buf + start, h * sizeof(floating))


cdef inline void gather_weights(
    Samples samples, const Py_ssize_t *rows, Py_ssize_t first, Py_ssize_t n, floating *w
) noexcept nogil:
    """w (n,) <- the batch's weights, if there are any."""
    cdef Py_ssize_t i
    for i in range(n if samples.weights.buf != NULL else 0):
        w[i] = (<const floating *>samples.weights.buf)[row_of(rows, first, i)]


cdef inline double total_weight(
    Samples samples, const Py_ssize_t *rows, Py_ssize_t first, Py_ssize_t n
) noexcept nogil:
    """Sum of the batch's weights; n where there are none."""
    cdef double total = 0
    cdef Py_ssize_t i
    if samples.weights.buf == NULL:
        return n
    for i in range(n):
        if samples.weights.itemsize == sizeof(float):
            total += (<const float *>samples.weights.buf)[row_of(rows, first, i)]
        else:
            total += (<const double *>samples.weights.buf)[row_of(rows, first, i)]
    return total


cdef inline void csr_product(
    Samples samples, const index_t *indices, const index_t *indptr,
    const Py_ssize_t *rows, Py_ssize_t first, Py_ssize_t n,
    const floating *W, Py_ssize_t h, floating *Z,
) noexcept nogil:
    """Z (n, h) <- X W for the batch's rows of the CSR matrix X and W (d, h)."""
    cdef const floating *data = <const floating *>samples.data.buf
    cdef const floating *w
    cdef floating *z
    cdef Py_ssize_t i, j, k, row
    memset(Z, 0, n * h * sizeof(floating))
    for i in range(n):
        row = row_of(rows, first, i)
        z = Z + i * h
        for k in range(indptr[row], indptr[row + 1]):
            w = W + <Py_ssize_t>indices[k] * h
            for j in range(h):
                z[j] += data[k] * w[j]


cdef inline void csr_transposed_product(
    Samples samples, const index_t *indices, const index_t *indptr,
    const Py_ssize_t *rows, Py_ssize_t first, Py_ssize_t n,
    floating alpha, const floating *D, Py_ssize_t h, floating *G,
) noexcept nogil:
    """G (d, h) <- G + alpha X^T D for the batch's rows of the CSR matrix X and D (n, h)."""
    cdef const floating *data = <const floating *>samples.data.buf
    cdef const floating *delta
    cdef floating *g
    cdef floating x
    cdef Py_ssize_t i, j, k, row
    for i in range(n):
        row = row_of(rows, first, i)
        delta = D + i * h
        for k in range(indptr[row], indptr[row + 1]):
            g = G + <Py_ssize_t>indices[k] * h
            x = alpha * data[k]
            for j in range(h):
                g[j] += x * delta[j]
