"""The samples of a run, read where they lie: rows of X, their targets and weights.

The letters are those of ``engine.pyx``.
"""
from cpython.buffer cimport Py_buffer
from cython cimport floating
from libc.stdlib cimport llabs
from libc.string cimport memcpy, memset

from cymlp._engine.kernels.conversion cimport FLOAT32, FLOAT64, NumberType, convert
from cymlp._engine.kernels.gemm cimport prefetch
from cymlp._engine.kernels.reductions cimport are_finite

cdef enum:
    AHEAD = 2   # rows of X that are on their way while one is copied: they lie anywhere

# Targets are numbers of the network's dtype; bytes, 0 or 1; or the number of each sample's class.
cdef enum TargetKind:
    VALUES, INDICATORS, CLASSES


cdef struct dataset_t:
    Py_ssize_t n_samples, n_features, n_outputs
    Py_ssize_t itemsize     # bytes of the network's numbers, which X's become when they are read
    NumberType number       # the type of X's
    bint sparse
    TargetKind target_kind
    Py_buffer X             # dense: (n_samples, n_features), any strides
    Py_buffer values, indices, indptr    # sparse: the CSR matrix
    Py_buffer targets       # (n_samples, n_outputs), of classes (n_samples,)
    Py_buffer weights       # (n_samples,), or without memory where all are 1


cdef class Dataset:
    cdef dataset_t fields


cdef struct Batch:
    # n rows of a dataset: rows[0:n], or, where rows is NULL, those from first on.
    const Py_ssize_t *rows
    Py_ssize_t first
    Py_ssize_t n


cdef struct Range:
    Py_ssize_t start, stop


cdef inline Batch slice_batch(Batch batch, Py_ssize_t start, Py_ssize_t most) noexcept nogil:
    """Rows start to start + most of the batch, or as many as there are."""
    if batch.rows != NULL:
        batch.rows += start
    batch.first += start
    batch.n = min(most, batch.n - start)
    return batch


cdef inline Py_ssize_t sample_of(Batch batch, Py_ssize_t i) noexcept nogil:
    """The sample that is row i of the batch."""
    return batch.first + i if batch.rows == NULL else batch.rows[i]


cdef inline bint is_of_type(const dataset_t *dataset, const floating *A) noexcept nogil:
    """Whether X's numbers are of A's type."""
    if floating is float:
        return dataset.number == FLOAT32
    else:
        return dataset.number == FLOAT64


cdef inline const floating *dense_batch(
    const dataset_t *dataset, Batch batch, Range rows, Range columns, floating *A,
    Py_ssize_t *stride,
) noexcept nogil:
    """These columns of the batch's rows of X, as a matrix with rows ``stride`` elements apart.

    It is X itself where its rows lie as a matrix product wants them; else A (n, columns), of
    which these ``rows`` are gathered now, and converted if X has another type.
    """
    cdef Py_ssize_t d = columns.stop - columns.start, itemsize = dataset.X.itemsize, i, j
    cdef Py_ssize_t row_stride = dataset.X.strides[0], column_stride = dataset.X.strides[1]
    cdef const char *start = <const char *>dataset.X.buf + columns.start * column_stride
    cdef const char *row
    cdef const char *ahead
    cdef bint contiguous = dataset.n_features == 1 or column_stride == itemsize
    cdef bint copies = contiguous and is_of_type(dataset, A)
    if (
        copies and (batch.rows == NULL or batch.n == 1)
        and row_stride >= dataset.n_features * <Py_ssize_t>sizeof(floating)
        and row_stride % sizeof(floating) == 0
        and row_stride // <Py_ssize_t>sizeof(floating) < 2147483647
    ):
        stride[0] = row_stride // <Py_ssize_t>sizeof(floating)
        return <const floating *>(start + sample_of(batch, 0) * row_stride)
    stride[0] = d
    for i in range(rows.start, rows.stop):
        row = start + sample_of(batch, i) * row_stride
        if contiguous and i + AHEAD < rows.stop:
            ahead = start + sample_of(batch, i + AHEAD) * row_stride
            for j in range(0, d * itemsize, 64):
                prefetch(ahead + j)
        if copies:
            memcpy(A + i * d, row, d * sizeof(floating))
        else:
            convert(dataset.number, row, column_stride, d, A + i * d)
    return A


cdef inline bint is_finite_in(
    const dataset_t *dataset, floating *memory, Py_ssize_t size
) noexcept nogil:
    """Whether all numbers of a dense X are finite, in the type of ``memory`` (size,)."""
    cdef Py_ssize_t n = dataset.n_samples, d = dataset.n_features, some, i, j
    cdef Py_ssize_t row_stride = dataset.X.strides[0], column_stride = dataset.X.strides[1]
    cdef const char *row
    if llabs(row_stride) < llabs(column_stride):   # a column is read faster
        n, d = d, n
        row_stride, column_stride = column_stride, row_stride
    if row_stride == d * column_stride:   # as one long row
        n, d = min(n, <Py_ssize_t>1), n * d
    for i in range(n):
        row = <const char *>dataset.X.buf + i * row_stride
        if column_stride == sizeof(floating) and is_of_type(dataset, memory):
            if not are_finite(<const floating *>row, 1, d, 0):
                return False
            continue
        j = 0
        while j < d:
            some = min(size, d - j)
            convert(dataset.number, row + j * column_stride, column_stride, some, memory)
            if not are_finite(memory, 1, some, 0):
                return False
            j += some
    return True


cdef inline void gather_targets(
    const dataset_t *dataset, Batch batch, Py_ssize_t h, floating *T
) noexcept nogil:
    """T (n, h) <- the batch's targets; a class is a row with 1 in its column, else 0."""
    cdef Py_ssize_t i, j, start
    if dataset.target_kind == CLASSES:
        memset(T, 0, batch.n * h * sizeof(floating))
        for i in range(batch.n):
            T[i * h + (<const int *>dataset.targets.buf)[sample_of(batch, i)]] = 1
        return
    for i in range(batch.n):
        start = sample_of(batch, i) * h
        if dataset.target_kind == INDICATORS:
            for j in range(h):
                T[i * h + j] = (<const unsigned char *>dataset.targets.buf)[start + j]
        else:
            memcpy(T + i * h, <const floating *>dataset.targets.buf + start, h * sizeof(floating))


cdef inline void gather_weights(const dataset_t *dataset, Batch batch, floating *w) noexcept nogil:
    """w (n,) <- the batch's weights, if there are any."""
    cdef Py_ssize_t i
    for i in range(batch.n if dataset.weights.buf != NULL else 0):
        w[i] = (<const floating *>dataset.weights.buf)[sample_of(batch, i)]


cdef inline double total_weight(const dataset_t *dataset, Batch batch) noexcept nogil:
    """Sum of the batch's weights; n where there are none."""
    cdef double total = 0
    cdef Py_ssize_t i
    if dataset.weights.buf == NULL:
        return batch.n
    for i in range(batch.n):
        if dataset.weights.itemsize == sizeof(float):
            total += (<const float *>dataset.weights.buf)[sample_of(batch, i)]
        else:
            total += (<const double *>dataset.weights.buf)[sample_of(batch, i)]
    return total
