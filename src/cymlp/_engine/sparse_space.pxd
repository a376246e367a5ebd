"""What a team shares to update the first layer's weights where X is sparse.

The letters are those of ``engine.pyx``; ``sparse_update.pxd`` says what happens here.
"""
from cymlp._engine.kernels.skipped_updates cimport skipping_t

# What a step does with rows of W whose feature does not occur in its mini-batch.
cdef enum Idle:
    UPDATED   # what it does with all others
    LEFT      # nothing, as their update is nothing
    WAITING   # nothing, until they catch up


cdef struct sparse_t:
    Idle idle
    bint whole_gradient        # whether it is made in a buffer for all of W
    int shift                  # rows of W are dealt out to the parts 2**shift at a time
    # The entries of a chunk: of each part's rows, for one owner after another.
    Py_ssize_t capacity        # most entries of a part's rows
    int *features              # (size, capacity)
    int *rows                  # (size, capacity) of the chunk
    void *x                    # (size, capacity)
    int *slots                 # (size, capacity) where its feature is among those found
    Py_ssize_t owner_stride    # at least size + 1
    Py_ssize_t *begins         # (size, owner_stride) where each owner's begin among those,
    Py_ssize_t *stops          # (size, owner_stride) and where they end
    # The features of a chunk, of each owner.
    Py_ssize_t most_features   # of an owner
    Py_ssize_t *n_found        # (size,)
    int *found                 # (size, most_features)
    int *ends                  # (size, most_features) where the entries of each end,
    int *sorted_rows           # (size * capacity) in these arrays, which have the entries of one
    void *sorted_x             # feature after another; x is divided by the weight of the step
    int *slot                  # (d,) where a feature is among those found, if it is
    # Rows that wait.
    const skipping_t *skipping
    Py_ssize_t *n_updates      # (size,) of each owner in this run,
    int *n_done                # (d,) and those that a row has had
    Py_ssize_t *cursor         # (size,) the owner's row that catches up next
    double *tables             # (size, ages + 1, width)
    double *sums               # (size, 3) |w|^2, w v and |v|^2 of all the owner's rows


cdef class SparseSpace:
    cdef sparse_t fields
    cdef skipping_t skipping
    cdef Py_ssize_t size, n_features, itemsize
    cdef unsigned char[::1] lasting, entries
    cdef int make_room(self, Py_ssize_t n_entries) except -1
