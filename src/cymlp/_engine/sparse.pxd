"""Rows of a CSR matrix, read where they lie, and their product with the first layer's weights.

The letters are those of ``engine.pyx``. An entry is a number of X that is stored, at the place of
its row and its feature. The entries of a row may be in any order, and several have one feature:
they count as their sum.
"""
from cython cimport floating
from libc.string cimport memcpy

from cymlp._engine.dataset cimport Batch, dataset_t, is_of_type, sample_of
from cymlp._engine.kernels.conversion cimport convert
from cymlp._engine.kernels.gemm cimport prefetch
from cymlp._engine.kernels.reductions cimport are_finite
from cymlp._engine.kernels.weighted_rows cimport add_weighted_rows

cdef enum:
    ENTRIES = 256   # of a row that are read at a time
    AHEAD = 2       # rows that are on their way while one is read: they lie anywhere


cdef struct PlacesOfEntries:
    # Where the next entries of a row stand, and whether all that was read of it is valid.
    Py_ssize_t start, stop
    bint valid


cdef struct Entries:
    # Features and rows of entries that lie in memory, beside their x.
    int *features
    int *rows


cdef inline Py_ssize_t index_at(const Py_buffer *buffer, Py_ssize_t i) noexcept nogil:
    """Element i of an index array."""
    if buffer.itemsize == sizeof(int):
        return (<const int *>buffer.buf)[i]
    return <Py_ssize_t>(<const long long *>buffer.buf)[i]


cdef inline PlacesOfEntries entries_of(const dataset_t *dataset, Py_ssize_t row) noexcept nogil:
    """Where the entries of a row stand: nowhere if indptr is invalid there."""
    cdef PlacesOfEntries places
    places.start, places.stop = index_at(&dataset.indptr, row), index_at(&dataset.indptr, row + 1)
    places.valid = 0 <= places.start <= places.stop <= min(
        dataset.values.shape[0], dataset.indices.shape[0]
    )
    if not places.valid:
        places.start = places.stop = 0
    return places


cdef inline Py_ssize_t read_entries(
    const dataset_t *dataset, PlacesOfEntries *places, Py_ssize_t most, int *features, floating *x
) noexcept nogil:
    """features and x (n,) <- the next n entries, so many at most; return n.

    One whose feature does not exist becomes 0 of the first feature. Indices were valid when
    Python checked them, but another thread, or a function that training calls, may have changed
    them.
    """
    cdef Py_ssize_t n = min(most, places.stop - places.start), k
    cdef size_t d = <size_t>dataset.n_features, feature, largest = 0
    cdef Py_ssize_t itemsize = dataset.values.itemsize
    cdef const char *values = <const char *>dataset.values.buf + places.start * itemsize
    if is_of_type(dataset, x):
        memcpy(x, values, n * sizeof(floating))
    else:
        convert(dataset.number, values, itemsize, n, x)
    if dataset.indices.itemsize == sizeof(int):
        memcpy(features, <const int *>dataset.indices.buf + places.start, n * sizeof(int))
        for k in range(n):
            largest = max(largest, <size_t>features[k])   # a negative one becomes a large one
    else:
        for k in range(n):
            feature = <size_t>(<const long long *>dataset.indices.buf)[places.start + k]
            largest = max(largest, feature)
            features[k] = <int>feature
    if largest >= d:
        places.valid = False
        for k in range(n):
            if <size_t>features[k] >= d:
                features[k], x[k] = 0, 0
    places.start += n
    return n


cdef inline void fetch_entries(const dataset_t *dataset, Py_ssize_t row) noexcept nogil:
    """Have the entries of a row on their way, so many as are read at a time."""
    cdef PlacesOfEntries places = entries_of(dataset, row)
    cdef Py_ssize_t n = min(<Py_ssize_t>ENTRIES, places.stop - places.start), byte
    cdef Py_ssize_t value_size = dataset.values.itemsize, index_size = dataset.indices.itemsize
    for byte in range(0, n * value_size, 64):
        prefetch(<const char *>dataset.values.buf + places.start * value_size + byte)
    for byte in range(0, n * index_size, 64):
        prefetch(<const char *>dataset.indices.buf + places.start * index_size + byte)


cdef inline Py_ssize_t read_rows(
    const dataset_t *dataset, Batch batch, Py_ssize_t first_row, Py_ssize_t most, Entries entries,
    floating *x,
) noexcept nogil:
    """entries and x (n,) <- the n entries of the batch, so many at most; return n.

    The batch's rows have the numbers from ``first_row`` on.
    """
    cdef Py_ssize_t n = 0, n_read, i, k
    cdef PlacesOfEntries places
    for i in range(batch.n):
        if i + AHEAD < batch.n:
            fetch_entries(dataset, sample_of(batch, i + AHEAD))
        places = entries_of(dataset, sample_of(batch, i))
        n_read = read_entries(dataset, &places, most - n, entries.features + n, x + n)
        for k in range(n, n + n_read):
            entries.rows[k] = <int>(first_row + i)
        n += n_read
    return n


cdef inline bint multiply_sparse(
    const dataset_t *dataset, Batch batch, const floating *W, const floating *b, Py_ssize_t h,
    floating *Z, bint checks_finite,
) noexcept nogil:
    """Z (n, h) <- X W + b for the batch's rows of the CSR matrix X, W (d, h) and b (h,).

    Return whether all its indices are valid, and if that is checked its numbers are finite; else
    Z is of no use.
    """
    cdef int[ENTRIES] features
    cdef floating[ENTRIES] x
    cdef Py_ssize_t i, n
    cdef PlacesOfEntries places
    cdef bint valid = True
    for i in range(batch.n):
        memcpy(Z + i * h, b, h * sizeof(floating))
        places = entries_of(dataset, sample_of(batch, i))
        while places.start < places.stop:
            n = read_entries(dataset, &places, ENTRIES, features, x)
            if checks_finite and not are_finite(x, 1, n, 0):
                valid = False
            add_weighted_rows(h, n, x, features, W, Z + i * h)
        valid = valid and places.valid
    return valid
