"""Where a run's intermediate results lie, in one block of memory.

The letters are those of ``engine.pyx``. For R rows of a batch, a chunk, the team shares::

    A_1 ... A_L  |  D_1 ... D_{L-1}  |  F_1 ... F_{L-1}  |  partial products  |  T  |  w  |  A_0

The output layer's A_L becomes its D_L in place; there are derivatives F only where A does not
give them. Behind that each thread has scratch memory of its own: for packing matrices, and for
the gradient of some rows of a W.
"""
from libc.string cimport memset

from cymlp._engine.kernels.gemm cimport pack_size
from cymlp._engine.architecture cimport architecture_t
from cymlp._engine.dataset cimport dataset_t

cdef enum:
    LINE = 16               # elements; regions begin at multiples, so at a cache line
    REGIONS = 7
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
    Py_ssize_t scratch_size                # elements of each thread's
    Py_ssize_t gradient                    # where the gradient of some rows begins in it


cdef inline Py_ssize_t up(Py_ssize_t n) noexcept nogil:
    """n rounded up to whole cache lines."""
    return (n + LINE - 1) // LINE * LINE


cdef inline bint shares_features(const architecture_t *architecture, const dataset_t *dataset, Py_ssize_t size) noexcept nogil:
    """Whether each thread of a team makes the products of its own features."""
    return not dataset.sparse and size > 1 and architecture.units[0] >= size * FEW_FEATURES


cdef inline Py_ssize_t elements_per_row(
    const architecture_t *architecture, const dataset_t *dataset, Py_ssize_t size
) noexcept nogil:
    """Elements of the shared regions for each row of a chunk."""
    return (
        (3 if architecture.keeps_derivatives else 2) * architecture.n_units + 1
        + (0 if dataset.sparse else architecture.units[0])
        + (size * architecture.units[1] if shares_features(architecture, dataset, size) else 0)
    )


cdef inline Py_ssize_t scratch_elements(const architecture_t *architecture) noexcept nogil:
    """Elements of one thread's scratch memory."""
    return up(pack_size(architecture.widest)) + up(
        max(<Py_ssize_t>PIECE_ELEMENTS, PIECE_ROWS * architecture.widest)
    )


cdef inline Py_ssize_t workspace_size(
    const architecture_t *architecture, const dataset_t *dataset, Py_ssize_t size, Py_ssize_t R
) noexcept nogil:
    """Elements of a workspace for a team of ``size`` threads and chunks of R rows."""
    return (
        R * elements_per_row(architecture, dataset, size)
        + size * scratch_elements(architecture) + REGIONS * LINE
    )


cdef inline Py_ssize_t rows_with_room(
    const architecture_t *architecture, const dataset_t *dataset, Py_ssize_t size,
    Py_ssize_t n_elements,
) noexcept nogil:
    """The rows R of a chunk for which a workspace of so many elements has room."""
    return (n_elements - workspace_size(architecture, dataset, size, 0)) // (
        elements_per_row(architecture, dataset, size)
    )


cdef inline workspace_t workspace(
    const architecture_t *architecture, const dataset_t *dataset, Py_ssize_t size, Py_ssize_t R
) noexcept nogil:
    """The regions of a workspace."""
    cdef workspace_t space
    cdef Py_ssize_t k = architecture.units[architecture.n_layers]
    cdef Py_ssize_t n_hidden = architecture.n_units - k
    space.R = R
    space.by_features = shares_features(architecture, dataset, size)
    space.D = up(R * architecture.n_units)
    space.F = space.D + up(R * n_hidden)
    space.P = space.F + (up(R * n_hidden) if architecture.keeps_derivatives else 0)
    space.T = space.P + (up(size * R * architecture.units[1]) if space.by_features else 0)
    space.w = space.T + up(R * k)
    space.X = space.w + up(R)
    space.scratch = space.X + (0 if dataset.sparse else up(R * architecture.units[0]))
    space.scratch_size = scratch_elements(architecture)
    space.gradient = up(pack_size(architecture.widest))
    return space


cdef inline Py_ssize_t prediction_elements_per_row(
    const architecture_t *architecture, const dataset_t *dataset
) noexcept nogil:
    """Elements for each row of a chunk that one thread predicts."""
    return architecture.n_units + (0 if dataset.sparse else architecture.units[0])


cdef inline Py_ssize_t prediction_size(
    const architecture_t *architecture, const dataset_t *dataset, Py_ssize_t R
) noexcept nogil:
    """Elements of one thread's workspace for predicting chunks of R rows."""
    return (
        R * prediction_elements_per_row(architecture, dataset)
        + up(pack_size(architecture.widest)) + 2 * LINE
    )


cdef inline Py_ssize_t prediction_rows_with_room(
    const architecture_t *architecture, const dataset_t *dataset, Py_ssize_t size,
    Py_ssize_t n_elements,
) noexcept nogil:
    """The rows R of a chunk for which every thread has room."""
    return (n_elements // size - prediction_size(architecture, dataset, 0)) // (
        prediction_elements_per_row(architecture, dataset)
    )


cdef inline workspace_t prediction_workspace(
    const architecture_t *architecture, const dataset_t *dataset, Py_ssize_t R
) noexcept nogil:
    """The regions of the workspace that each thread has for itself: A, A_0, and for packing."""
    cdef workspace_t space
    memset(&space, 0, sizeof(workspace_t))
    space.R = R
    space.X = up(R * architecture.n_units)
    space.scratch = space.X + (0 if dataset.sparse else up(R * architecture.units[0]))
    space.scratch_size = prediction_size(architecture, dataset, R)
    return space


cdef inline Py_ssize_t chunk_rows(
    const architecture_t *architecture, const dataset_t *dataset, Py_ssize_t size,
    Py_ssize_t per_row, Py_ssize_t itemsize,
) noexcept nogil:
    """The most rows of a chunk: few enough for the cache and for the time between two polls."""
    cdef Py_ssize_t row_bytes = per_row * itemsize
    cdef Py_ssize_t R = max(
        min(CHUNK_ROWS, MOST_CHUNK_BYTES // row_bytes), size * CHUNK_BYTES // row_bytes
    )
    cdef double products = architecture.n_weights
    if dataset.sparse:
        products = architecture.units[1] * (
            <double>dataset.indices.shape[0] / max(<Py_ssize_t>1, dataset.n_samples)
        )
        R = <Py_ssize_t>min(<double>R, CHUNK_SPARSE_PRODUCTS / (1 + products))
        products = architecture.n_weights - architecture.units[0] * architecture.units[1]
    return max(<Py_ssize_t>1, <Py_ssize_t>min(<double>R, CHUNK_FLOPS * size / (6 * products + 1)))
