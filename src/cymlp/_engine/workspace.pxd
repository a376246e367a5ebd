"""Where a run's intermediate results lie, in one block of memory.

The letters are those of ``engine.pyx``. For R rows of a batch, a chunk, the team shares::

    A_1 ... A_L  |  D_1 ... D_{L-1}  |  F_1 ... F_{L-1}  |  partial products  |  T  |  w  |  A_0

The output layer's A_L becomes its D_L in place; there are derivatives F only where A does not
give them. Behind that each thread has scratch memory of its own: for packing matrices, and for
the gradient of some rows of a W. In a prediction each thread has a chunk of its own, and
needs A, A_0 and memory for packing.
"""
from libc.string cimport memset

from cymlp._engine.architecture cimport architecture_t
from cymlp._engine.dataset cimport dataset_t
from cymlp._engine.kernels.gemm cimport pack_size

cdef enum:
    LINE = 16               # elements; regions begin at multiples, so at a cache line
    PIECE_ELEMENTS = 8192   # of some rows of a W, whose gradient stays in a near cache
    PIECE_ROWS = 8          # but at least these rows, a tile of a matrix product
    FEW_FEATURES = 32       # of one thread; fewer are not worth a partial product
    # Bytes of a chunk for each thread, its second cache; but at least so many rows, as more rows
    # make faster products, unless they take more than so many bytes.
    CHUNK_BYTES = 1_500_000
    CHUNK_ROWS = 512
    MOST_CHUNK_BYTES = 64_000_000

cdef extern from *:
    """
    /* Between two polls for signals no more flops, and no more products of an entry of a sparse X
       with a weight. */
    #define CYMLP_CHUNK_FLOPS 8e9
    #define CYMLP_CHUNK_SPARSE_PRODUCTS 5e7
    """
    const double CHUNK_FLOPS "CYMLP_CHUNK_FLOPS"
    const double CHUNK_SPARSE_PRODUCTS "CYMLP_CHUNK_SPARSE_PRODUCTS"


cdef struct workspace_t:
    Py_ssize_t R            # rows of a chunk
    bint by_features        # whether the first product is shared out by features, not by rows
    Py_ssize_t D, F, P, T, w, X, scratch   # where each region begins; A is the first
    Py_ssize_t scratch_size                # elements of each thread's; of a prediction, of all
    Py_ssize_t gradient                    # where the gradient of some rows begins in it
    Py_ssize_t size                        # elements in all


cdef inline Py_ssize_t up(Py_ssize_t n) noexcept nogil:
    """n rounded up to whole cache lines."""
    return (n + LINE - 1) // LINE * LINE


cdef inline Py_ssize_t ceil_divided(Py_ssize_t n, Py_ssize_t d) noexcept nogil:
    """n / d rounded up, but at least 1."""
    return max(<Py_ssize_t>1, (n + d - 1) // d)


cdef inline Py_ssize_t most_rows(
    const architecture_t *architecture, const dataset_t *dataset, Py_ssize_t n_threads,
    Py_ssize_t row_bytes, bint cached,
) noexcept nogil:
    """The most rows of a chunk: few enough for the time between two polls, and for the cache."""
    cdef Py_ssize_t R = MOST_CHUNK_BYTES // row_bytes
    if cached:
        R = max(min(<Py_ssize_t>CHUNK_ROWS, R), n_threads * CHUNK_BYTES // row_bytes)
    cdef double products = architecture.n_weights, of_a_row
    if dataset.sparse:
        of_a_row = architecture.units[1] * (
            <double>dataset.indices.shape[0] / max(<Py_ssize_t>1, dataset.n_samples)
        )
        R = <Py_ssize_t>min(<double>R, CHUNK_SPARSE_PRODUCTS / (1 + of_a_row))
        products = architecture.n_weights - architecture.units[0] * architecture.units[1]
    return max(
        <Py_ssize_t>1, <Py_ssize_t>min(<double>R, CHUNK_FLOPS * n_threads / (6 * products + 1))
    )


cdef inline workspace_t training_space(
    const architecture_t *architecture, const dataset_t *dataset, Py_ssize_t n_threads,
    Py_ssize_t batch_size, Py_ssize_t itemsize, Py_ssize_t most_chunk_rows, bint updates,
) noexcept nogil:
    """The regions for training on batches, in as many chunks of one length as need be.

    A mini-batch of a sparse X that is used to update is one chunk if it can, though it may not
    stay in the cache: else there would have to be a gradient of all of W.
    """
    cdef workspace_t space
    cdef Py_ssize_t d = architecture.units[0], h = architecture.units[1]
    cdef Py_ssize_t k = architecture.units[architecture.n_layers]
    cdef Py_ssize_t n_units = architecture.n_units, n_hidden = n_units - k, R, row_size
    cdef Py_ssize_t pack = up(pack_size(architecture.widest))
    space.by_features = (
        not dataset.sparse and n_threads > 1 and d >= n_threads * FEW_FEATURES
    )
    row_size = (3 if architecture.keeps_derivatives else 2) * n_units + 1
    row_size += (0 if dataset.sparse else d) + (n_threads * h if space.by_features else 0)
    R = min(
        most_chunk_rows,
        most_rows(
            architecture, dataset, n_threads, row_size * itemsize,
            cached=not (dataset.sparse and updates),
        ),
    )
    R = ceil_divided(batch_size, ceil_divided(batch_size, R))
    space.R = R
    space.D = up(R * n_units)
    space.F = space.D + up(R * n_hidden)
    space.P = space.F + (up(R * n_hidden) if architecture.keeps_derivatives else 0)
    space.T = space.P + (up(n_threads * R * h) if space.by_features else 0)
    space.w = space.T + up(R * k)
    space.X = space.w + up(R)
    space.scratch = space.X + (0 if dataset.sparse else up(R * d))
    space.gradient = pack
    space.scratch_size = pack + up(
        max(<Py_ssize_t>PIECE_ELEMENTS, PIECE_ROWS * architecture.widest)
    )
    space.size = space.scratch + n_threads * space.scratch_size
    return space


cdef inline workspace_t prediction_space(
    const architecture_t *architecture, const dataset_t *dataset, Py_ssize_t n_threads,
    Py_ssize_t n_rows, Py_ssize_t itemsize,
) noexcept nogil:
    """The regions of each thread for predicting so many rows in all, in chunks of one length."""
    cdef workspace_t space
    cdef Py_ssize_t n_units = architecture.n_units
    cdef Py_ssize_t d = 0 if dataset.sparse else architecture.units[0]
    cdef Py_ssize_t R = most_rows(architecture, dataset, 1, (n_units + d) * itemsize, cached=True)
    memset(&space, 0, sizeof(workspace_t))
    R = ceil_divided(n_rows, n_threads * ceil_divided(n_rows, n_threads * R))
    space.R = R
    space.X = up(R * n_units)
    space.scratch = space.X + up(R * d)
    space.scratch_size = space.scratch + up(pack_size(architecture.widest))
    space.size = n_threads * space.scratch_size
    return space
