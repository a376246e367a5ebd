"""Where a run's intermediate results lie, in one block of memory.

Letters as in ``engine.pyx``. The whole team shares, for R rows of a batch::

    A_1 ... A_L  |  D_1 ... D_{L-1}  |  F_1 ... F_{L-1}  |  partial products  |  T  |  w  |  A_0

The output layer's A_L becomes its D_L in place; there are slopes F only where A does not tell
them. Behind that each member has memory of its own: for packing matrices, and for the gradient
of a block of a W's rows.
"""
from libc.string cimport memset

from cymlp._engine.kernels.gemm cimport pack_size
from cymlp._engine.architecture cimport Net
from cymlp._engine.dataset cimport Data

cdef enum:
    LINE = 16               # elements; regions begin at multiples, so at a cache line
    REGIONS = 7
    BLOCK_ELEMENTS = 8192   # of a block of a W's rows, whose gradient stays in a near cache
    BLOCK_ROWS = 8          # but at least these rows, a tile of a matrix product
    FEW_FEATURES = 32       # a member's own; fewer are not worth a partial product


cdef struct Workspace:
    Py_ssize_t R            # rows of a chunk
    bint by_features        # whether the first product is shared out by features, not by rows
    Py_ssize_t D, F, P, T, w, X, own, own_size   # where each region begins; A is the first
    Py_ssize_t gradient     # where in its own memory a member has the gradient of a block


cdef inline Py_ssize_t up(Py_ssize_t n) noexcept nogil:
    """n rounded up to whole cache lines."""
    return (n + LINE - 1) // LINE * LINE


cdef inline bint shares_features(const Net *net, const Data *data, Py_ssize_t size) noexcept nogil:
    """Whether each of a team's members has the products of its own features."""
    return not data.sparse and size > 1 and net.units[0] >= size * FEW_FEATURES


cdef inline Py_ssize_t elements_per_row(
    const Net *net, const Data *data, Py_ssize_t size
) noexcept nogil:
    """Elements of the shared regions for each row of a chunk."""
    return (
        (3 if net.keeps_slopes else 2) * net.n_units + 1
        + (0 if data.sparse else net.units[0])
        + (size * net.units[1] if shares_features(net, data, size) else 0)
    )


cdef inline Py_ssize_t own_elements(const Net *net) noexcept nogil:
    """Elements of a member's own memory."""
    return up(pack_size(net.widest)) + up(max(<Py_ssize_t>BLOCK_ELEMENTS, BLOCK_ROWS * net.widest))


cdef inline Py_ssize_t workspace_size(
    const Net *net, const Data *data, Py_ssize_t size, Py_ssize_t R
) noexcept nogil:
    """Elements of a workspace for a team of ``size`` members and chunks of R rows."""
    return (
        R * elements_per_row(net, data, size) + size * own_elements(net) + REGIONS * LINE
    )


cdef inline Py_ssize_t rows_with_room(
    const Net *net, const Data *data, Py_ssize_t size, Py_ssize_t n_elements
) noexcept nogil:
    """The rows R of a chunk for which a workspace of so many elements has room."""
    return (n_elements - workspace_size(net, data, size, 0)) // elements_per_row(net, data, size)


cdef inline Workspace workspace(
    const Net *net, const Data *data, Py_ssize_t size, Py_ssize_t R
) noexcept nogil:
    """The regions of a workspace."""
    cdef Workspace space
    cdef Py_ssize_t k = net.units[net.n_layers]
    space.R = R
    space.by_features = shares_features(net, data, size)
    space.D = up(R * net.n_units)
    space.F = space.D + up(R * (net.n_units - k))
    space.P = space.F + (up(R * (net.n_units - k)) if net.keeps_slopes else 0)
    space.T = space.P + (up(size * R * net.units[1]) if space.by_features else 0)
    space.w = space.T + up(R * k)
    space.X = space.w + up(R)
    space.own = space.X + (0 if data.sparse else up(R * net.units[0]))
    space.own_size = own_elements(net)
    space.gradient = up(pack_size(net.widest))
    return space


cdef inline Py_ssize_t prediction_elements_per_row(const Net *net, const Data *data) noexcept nogil:
    """Elements for each row of a chunk that one member predicts."""
    return net.n_units + (0 if data.sparse else net.units[0])


cdef inline Py_ssize_t prediction_size(
    const Net *net, const Data *data, Py_ssize_t R
) noexcept nogil:
    """Elements of one member's workspace for predicting chunks of R rows."""
    return R * prediction_elements_per_row(net, data) + up(pack_size(net.widest)) + 2 * LINE


cdef inline Py_ssize_t prediction_rows_with_room(
    const Net *net, const Data *data, Py_ssize_t size, Py_ssize_t n_elements
) noexcept nogil:
    """The rows R of a chunk for which every member has room."""
    return (n_elements // size - prediction_size(net, data, 0)) // (
        prediction_elements_per_row(net, data)
    )


cdef inline Workspace prediction_workspace(
    const Net *net, const Data *data, Py_ssize_t R
) noexcept nogil:
    """The regions of a workspace of which each member has its own: A, A_0, and for packing."""
    cdef Workspace space
    memset(&space, 0, sizeof(Workspace))
    space.R = R
    space.X = up(R * net.n_units)
    space.own = space.X + (0 if data.sparse else up(R * net.units[0]))
    space.own_size = prediction_size(net, data, R)
    return space
