"""SparseSpace: the memory that a team needs to update by the entries of a sparse X."""
from libc.stdint cimport INT32_MAX

from cymlp._engine.architecture cimport Architecture, ParameterBlock, architecture_t
from cymlp._engine.kernels.skipped_updates cimport begin_table, plan_skipping
from cymlp._engine.kernels.update_rules cimport SGD, rule_t
from cymlp._engine.update_rule cimport UpdateRule

import numpy as np

cdef enum:
    LINE_BYTES = 64
    DEALT_ELEMENTS = 16      # of W, at least, that are dealt out together: a cache line,
    UPDATED_ROWS = 64        # or where all rows are updated, so many rows of it
    UPDATED_ELEMENTS = 4096  # with so many elements
    ALL_ROWS = 30            # the shift that deals out everything to one part


cdef Idle idle_rows(
    skipping_t *skipping, const architecture_t *architecture, const rule_t *rule,
    Py_ssize_t itemsize,
) noexcept:
    """What this rule does with rows of the first layer's W that have no gradient."""
    cdef const ParameterBlock *weights = &architecture.blocks[0]
    cdef double penalty = architecture.alpha * weights.l2_share
    if weights.l1 > 0:
        return UPDATED
    if rule.name == SGD and penalty == 0 and rule.weight_decay == 0:
        return LEFT
    plan_skipping(
        skipping, rule, penalty, weights.rows, 1e-8 if itemsize == sizeof(float) else 1e-15
    )
    return WAITING if skipping.ages > 0 else UPDATED


cdef void *carve(unsigned char[::1] memory, Py_ssize_t *used, Py_ssize_t n_bytes) except NULL:
    """The next so many bytes of the memory, from the beginning of a cache line."""
    cdef Py_ssize_t at = used[0]
    used[0] = at + (n_bytes + LINE_BYTES - 1) // LINE_BYTES * LINE_BYTES
    if used[0] > memory.shape[0]:
        raise MemoryError
    return &memory[at]


cdef class SparseSpace:
    """Memory for the entries of a chunk, and for rows of W that wait.

    Parameters
    ----------
    architecture : Architecture
    rule : UpdateRule or None
        None for a gradient alone.
    whole_gradient : bool
        Whether the gradient is made in a buffer for all of W.
    size : int
        Of the team.
    itemsize : int
        Bytes of a parameter.
    """

    def __cinit__(
        self, Architecture architecture not None, UpdateRule rule, bint whole_gradient,
        Py_ssize_t size, Py_ssize_t itemsize,
    ):
        cdef sparse_t *fields = &self.fields
        cdef Py_ssize_t d = architecture.fields.units[0], h = architecture.fields.units[1]
        cdef Py_ssize_t rows = max(<Py_ssize_t>1, DEALT_ELEMENTS // h), used = 0, rank, table
        self.size, self.n_features, self.itemsize = size, d, itemsize
        fields.idle, fields.whole_gradient = UPDATED, whole_gradient
        fields.skipping = &self.skipping
        if rule is not None and not whole_gradient:
            fields.idle = idle_rows(
                &self.skipping, &architecture.fields, &rule.fields, itemsize
            )
        if fields.idle == UPDATED:
            rows = max(<Py_ssize_t>UPDATED_ROWS, UPDATED_ELEMENTS // h)
        while <Py_ssize_t>1 << fields.shift < rows:
            fields.shift += 1
        if size == 1:
            fields.shift = ALL_ROWS
        fields.owner_stride = (size + 8) // 8 * 8
        table = (self.skipping.ages + 1) * self.skipping.width
        n_bytes = (
            (2 * fields.owner_stride + 3 + 3 + table) * size * sizeof(double)
            + 2 * d * sizeof(int) + 16 * LINE_BYTES
        )
        # Zeros, which the system makes when they are first used.
        self.lasting = np.zeros(n_bytes, dtype=np.uint8)
        fields.begins = <Py_ssize_t *>carve(
            self.lasting, &used, fields.owner_stride * size * sizeof(Py_ssize_t)
        )
        fields.stops = <Py_ssize_t *>carve(
            self.lasting, &used, fields.owner_stride * size * sizeof(Py_ssize_t)
        )
        fields.n_found = <Py_ssize_t *>carve(self.lasting, &used, size * sizeof(Py_ssize_t))
        fields.n_updates = <Py_ssize_t *>carve(self.lasting, &used, size * sizeof(Py_ssize_t))
        fields.cursor = <Py_ssize_t *>carve(self.lasting, &used, size * sizeof(Py_ssize_t))
        fields.sums = <double *>carve(self.lasting, &used, 3 * size * sizeof(double))
        fields.tables = <double *>carve(self.lasting, &used, table * size * sizeof(double))
        fields.slot = <int *>carve(self.lasting, &used, d * sizeof(int))
        fields.n_done = <int *>carve(self.lasting, &used, d * sizeof(int))
        for rank in range(size):
            fields.cursor[rank] = rank << fields.shift
            if table > 0:
                begin_table(&self.skipping, fields.tables + rank * table)

    cdef int make_room(self, Py_ssize_t n_entries) except -1:
        """Have memory for so many entries of a part's rows in a chunk."""
        cdef sparse_t *fields = &self.fields
        cdef Py_ssize_t total = n_entries * self.size, most_features, used = 0
        if n_entries <= fields.capacity:
            return 0
        if total > INT32_MAX:
            raise MemoryError(
                f"A mini-batch of X has too many entries for the engine: {total}, at most "
                f"{INT32_MAX}"
            )
        most_features = min(total, self.n_features)
        self.entries = np.empty(
            total * (4 * sizeof(int) + 2 * self.itemsize)
            + 2 * most_features * self.size * sizeof(int) + 16 * LINE_BYTES,
            dtype=np.uint8,
        )
        fields.features = <int *>carve(self.entries, &used, total * sizeof(int))
        fields.rows = <int *>carve(self.entries, &used, total * sizeof(int))
        fields.x = carve(self.entries, &used, total * self.itemsize)
        fields.slots = <int *>carve(self.entries, &used, total * sizeof(int))
        fields.sorted_rows = <int *>carve(self.entries, &used, total * sizeof(int))
        fields.sorted_x = carve(self.entries, &used, total * self.itemsize)
        fields.found = <int *>carve(
            self.entries, &used, most_features * self.size * sizeof(int)
        )
        fields.ends = <int *>carve(
            self.entries, &used, most_features * self.size * sizeof(int)
        )
        fields.capacity, fields.most_features = n_entries, most_features
        return 0
