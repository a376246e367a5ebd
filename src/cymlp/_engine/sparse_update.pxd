"""The update of the first layer's weights W (d, h) where X is sparse, by the entries of a chunk.

Few features occur in a mini-batch; the gradient of all other rows of W is 0, penalties aside. The
rows are dealt out to the parts like cards, some at a time, as frequent features often are
neighbours. A step is::

    sort_entries      by rows of X   each part notes the entries of its rows, owner by owner
    find_features     by rows of W   owners sort the entries by features, whose rows catch up
    (the passes)
    update_sparse     by rows of W   the gradient of each of these rows, and its update

Rows without a gradient wait where ``kernels/skipped_updates.pxd`` has a closed form for what they
miss. After each step some of them catch up in turn, so that none waits too long, and all do at
the end of a run.
"""
from cython cimport floating
from libc.string cimport memset

from cymlp._engine.architecture cimport ParameterBlock
from cymlp._engine.dataset cimport Range
from cymlp._engine.kernels.gemm cimport prefetch
from cymlp._engine.kernels.reductions cimport dot, squared_norm
from cymlp._engine.kernels.skipped_updates cimport BLOCK, add_update, catch_up, linear_update
from cymlp._engine.kernels.update_rules cimport apply, rule_entry
from cymlp._engine.kernels.weighted_rows cimport add_weighted_rows
from cymlp._engine.passes cimport deltas_at
from cymlp._engine.run cimport Part, Run, Step, elements_of, first_rows, next_rows
from cymlp._engine.sparse cimport Entries, read_rows
from cymlp._engine.sparse_space cimport WAITING, sparse_t

cdef enum:
    ENTRIES_AHEAD = 16         # features whose slots are on their way while one is looked up,
    ROWS_AHEAD = 6             # and rows of W while one catches up or is updated,
    SHORT_ROWS_AHEAD = 24      # or so many where rows are copied
    MOST_LINES = 8             # of a row, after which the CPU fetches the others by itself
    COPIED_UNITS = 32          # rows of so many units at most are copied to lie side by side
    # So many elements for an update: with their gradient and two states, PIECE_ELEMENTS.
    COPIED_ELEMENTS = 2048


cdef inline Py_ssize_t owner_of(
    const sparse_t *sparse, Py_ssize_t size, int feature
) noexcept nogil:
    """The part of ``size`` that a feature's row of W is dealt out to."""
    return <Py_ssize_t>(<unsigned int>(feature >> sparse.shift) % <unsigned int>size)


cdef inline void sort_entries(
    Run *run, const Part *part, const floating *parameters
) noexcept nogil:
    """Note the entries of the part's rows, those of one owner after another's.

    X may have changed since the memory was made; there is then no room for some of them.
    """
    cdef const sparse_t *sparse = &run.sparse
    cdef Py_ssize_t size = run.barrier.size, capacity = sparse.capacity, owner, k, n, place
    cdef Py_ssize_t at = part.rank * capacity, begin = 0
    cdef Py_ssize_t *begins = sparse.begins + part.rank * sparse.owner_stride
    cdef Py_ssize_t *stops = sparse.stops + part.rank * sparse.owner_stride
    cdef Entries dealt = Entries(sparse.features + at, sparse.rows + at)
    cdef floating *x = <floating *>sparse.x + at
    # First, they are read to where others will lie once they are sorted by features.
    cdef Entries entries = Entries(sparse.slots + at, sparse.sorted_rows + at)
    cdef floating *entries_x = <floating *>sparse.sorted_x + at
    if size == 1:
        begins[0] = 0
        stops[0] = read_rows(run.dataset, part.batch, part.row, capacity, dealt, x)
        return
    n = read_rows(run.dataset, part.batch, part.row, capacity, entries, entries_x)
    for owner in range(size):
        stops[owner] = 0
    for k in range(n):
        stops[owner_of(sparse, size, entries.features[k])] += 1
    for owner in range(size):
        begins[owner] = begin
        begin += stops[owner]
        stops[owner] = begins[owner]
    for k in range(n):
        owner = owner_of(sparse, size, entries.features[k])
        place = stops[owner]
        dealt.features[place], dealt.rows[place] = entries.features[k], entries.rows[k]
        x[place] = entries_x[k]
        stops[owner] = place + 1


cdef inline bint is_found(
    const sparse_t *sparse, Py_ssize_t rank, Py_ssize_t n_found, int feature
) noexcept nogil:
    """Whether a feature is among the ``n_found`` of the chunk that its owner has found."""
    cdef size_t slot = <size_t>sparse.slot[feature]
    return slot < <size_t>n_found and (
        sparse.found[rank * sparse.most_features + <Py_ssize_t>slot] == feature
    )


cdef inline int next_age(sparse_t *sparse, Py_ssize_t rank, Py_ssize_t row) noexcept nogil:
    """How many updates a row of W waits for; it is about to catch up."""
    cdef int age = <int>sparse.n_updates[rank] - sparse.n_done[row]
    sparse.n_done[row] += age
    return age


cdef inline void catch_up_rows(
    Run *run, Py_ssize_t rank, Range rows, floating *parameters
) noexcept nogil:
    """Make all updates of this run that neighbouring rows of W still wait for.

    These are one, or several with ``BLOCK`` weights at most.
    """
    cdef const sparse_t *sparse = &run.sparse
    cdef Py_ssize_t h = run.architecture.units[1], row
    cdef Py_ssize_t table = rank * (sparse.skipping.ages + 1) * sparse.skipping.width
    cdef int[BLOCK] ages
    for row in range(rows.start, rows.stop):
        ages[row - rows.start] = next_age(&run.sparse, rank, row)
    catch_up(
        sparse.skipping, &run.rule, sparse.tables + table, ages, rows.stop - rows.start, h,
        parameters + rows.start * h, <floating *>run.state + rows.start * h,
        run.architecture.n_parameters,
    )


cdef inline void copy_rows(
    const Run *run, const int *rows, Py_ssize_t n, floating *parameters, floating *copies,
    bint back,
) noexcept nogil:
    """copies (1 + n_states, n, h) <- these rows (n,) of W and of the state; or back again."""
    cdef Py_ssize_t h = run.architecture.units[1], vector, i, j
    cdef floating *vectors = parameters
    cdef floating *row
    for vector in range(1 + rule_entry(run.rule.name).n_states):
        if vector > 0:
            vectors = <floating *>run.state + (vector - 1) * run.architecture.n_parameters
        for i in range(n):
            row = vectors + rows[i] * h
            for j in range(h):
                if back:
                    row[j] = copies[j]
                else:
                    copies[j] = row[j]
            copies += h


cdef inline void fetch_row(
    const Run *run, Py_ssize_t row, const floating *parameters
) noexcept nogil:
    """Have a row of W, and of the state that goes with it, on its way."""
    cdef Py_ssize_t h = run.architecture.units[1], start = row * h, state, line = 0, lines
    prefetch(&run.sparse.n_done[row])
    lines = min(<Py_ssize_t>MOST_LINES * 64, h * <Py_ssize_t>sizeof(floating))
    while line < lines:
        prefetch(<const char *>(parameters + start) + line)
        for state in range(rule_entry(run.rule.name).n_states):
            prefetch(
                <const char *>(
                    <const floating *>run.state + state * run.architecture.n_parameters + start
                ) + line
            )
        line += 64


cdef inline void catch_up_found(
    Run *run, Py_ssize_t rank, floating *parameters
) noexcept nogil:
    """The rows of W of all features that the owner has found catch up.

    Rows of few units are copied to lie side by side: one loop over many is faster than many loops.
    """
    cdef const sparse_t *sparse = &run.sparse
    cdef Py_ssize_t h = run.architecture.units[1], n_found = sparse.n_found[rank], start = 0
    cdef Py_ssize_t table = rank * (sparse.skipping.ages + 1) * sparse.skipping.width, n = 1, i
    cdef Py_ssize_t ahead = SHORT_ROWS_AHEAD if h <= COPIED_UNITS else ROWS_AHEAD
    cdef const int *found = sparse.found + rank * sparse.most_features
    cdef int[BLOCK] ages
    cdef floating[3 * BLOCK] copies   # of W and of two states at most
    while start < n_found:
        if h <= COPIED_UNITS:
            n = min(BLOCK // h, n_found - start)
        for i in range(start, start + n):
            if i + ahead < n_found:
                fetch_row(run, found[i + ahead], parameters)
        if h > COPIED_UNITS:
            catch_up_rows(run, rank, Range(found[start], found[start] + 1), parameters)
        else:
            for i in range(n):
                ages[i] = next_age(&run.sparse, rank, found[start + i])
            copy_rows(run, found + start, n, parameters, copies, back=False)
            catch_up(
                sparse.skipping, &run.rule, sparse.tables + table, ages, n, h, copies,
                copies + n * h, n * h,
            )
            copy_rows(run, found + start, n, parameters, copies, back=True)
        start += n


cdef inline void look_up_features(Run *run, Py_ssize_t rank) noexcept nogil:
    """The owner's features in the chunk, the slot of each entry, and how many each slot has."""
    cdef const sparse_t *sparse = &run.sparse
    cdef Py_ssize_t at = rank * sparse.most_features, part, entry, start, stop, n_found = 0
    cdef int feature
    for part in range(run.barrier.size):
        start = part * sparse.capacity + sparse.begins[part * sparse.owner_stride + rank]
        stop = part * sparse.capacity + sparse.stops[part * sparse.owner_stride + rank]
        for entry in range(start, stop):
            if entry + ENTRIES_AHEAD < stop:
                prefetch(&sparse.slot[sparse.features[entry + ENTRIES_AHEAD]])
            feature = sparse.features[entry]
            if not is_found(sparse, rank, n_found, feature):
                sparse.slot[feature] = <int>n_found
                sparse.found[at + n_found] = feature
                sparse.ends[at + n_found] = 0
                n_found += 1
            sparse.slots[entry] = sparse.slot[feature]
            sparse.ends[at + sparse.slot[feature]] += 1
    sparse.n_found[rank] = n_found


cdef inline Py_ssize_t first_sorted(const Run *run, Py_ssize_t rank) noexcept nogil:
    """Where the owner's entries begin among the sorted ones: after those of the owners before."""
    cdef const sparse_t *sparse = &run.sparse
    cdef Py_ssize_t part, owner, place, n = 0
    for part in range(run.barrier.size):
        for owner in range(rank):
            place = part * sparse.owner_stride + owner
            n += sparse.stops[place] - sparse.begins[place]
    return n


cdef inline void find_features(
    Run *run, const Step *step, Py_ssize_t rank, floating *parameters
) noexcept nogil:
    """Sort the owner's entries in the chunk by features; the rows of W of these catch up."""
    cdef const sparse_t *sparse = &run.sparse
    cdef Py_ssize_t at = rank * sparse.most_features, part, entry, slot, place, n_found
    cdef int end = <int>first_sorted(run, rank), n
    cdef floating factor = <floating>(1 / step.weight)
    look_up_features(run, rank)
    n_found = sparse.n_found[rank]
    for slot in range(at, at + n_found):   # for now they begin where they will end
        n = sparse.ends[slot]
        sparse.ends[slot] = end
        end += n
    for part in range(run.barrier.size):
        place = part * sparse.owner_stride + rank
        for entry in range(
            part * sparse.capacity + sparse.begins[place],
            part * sparse.capacity + sparse.stops[place],
        ):
            slot = at + sparse.slots[entry]
            sparse.sorted_rows[sparse.ends[slot]] = sparse.rows[entry]
            (<floating *>sparse.sorted_x)[sparse.ends[slot]] = (
                factor * (<const floating *>sparse.x)[entry]
            )
            sparse.ends[slot] += 1
    if sparse.idle == WAITING:
        catch_up_found(run, rank, parameters)


cdef inline Py_ssize_t start_of(const Run *run, Py_ssize_t rank, Py_ssize_t slot) noexcept nogil:
    """Where the sorted entries of one of the owner's features begin."""
    if slot == 0:
        return first_sorted(run, rank)
    return run.sparse.ends[rank * run.sparse.most_features + slot - 1]


cdef inline void add_feature_gradient(
    const Run *run, Py_ssize_t rank, Py_ssize_t slot, floating *g
) noexcept nogil:
    """g (h,) <- g + X^T D / weight for one of the owner's features."""
    cdef const sparse_t *sparse = &run.sparse
    cdef Py_ssize_t start = start_of(run, rank, slot)
    cdef Py_ssize_t n = sparse.ends[rank * sparse.most_features + slot] - start
    add_weighted_rows(
        run.architecture.units[1], n, <const floating *>sparse.sorted_x + start,
        sparse.sorted_rows + start, <floating *>run.work + deltas_at(run, 0), g,
    )


cdef inline void add_sparse_gradient(
    const Run *run, const Part *part, floating *G
) noexcept nogil:
    """G (d, h) <- G + X^T D / weight, of the part's rows of W; the first chunk's G is 0 before."""
    cdef const sparse_t *sparse = &run.sparse
    cdef const ParameterBlock *block = &run.architecture.blocks[0]
    cdef Py_ssize_t h = block.columns, at = part.rank * sparse.most_features, slot
    cdef Range rows = first_rows(run, block, part.rank)
    while part.step.is_first and rows.start < block.rows:
        memset(G + rows.start * h, 0, (rows.stop - rows.start) * h * sizeof(floating))
        rows = next_rows(run, block, rows)
    for slot in range(sparse.n_found[part.rank]):
        add_feature_gradient(run, part.rank, slot, G + sparse.found[at + slot] * h)


cdef inline void add_squares(
    const floating *w, const floating *v, Py_ssize_t size, double *sums
) noexcept nogil:
    """sums (3,) <- sums + (|w|^2, w v, |v|^2) of weights and, if not NULL, their velocity."""
    sums[0] += squared_norm(w, size)
    if v != NULL:
        sums[1] += dot(w, v, size)
        sums[2] += squared_norm(v, size)


cdef inline void begin_waiting(
    Run *run, Py_ssize_t rank, const floating *parameters
) noexcept nogil:
    """The sums of squares of all rows of an owner, where there is an L2 penalty."""
    cdef const ParameterBlock *block = &run.architecture.blocks[0]
    cdef double *sums = run.sparse.sums + 3 * rank
    cdef Range rows = first_rows(run, block, rank), elements
    sums[0] = sums[1] = sums[2] = 0
    while run.architecture.alpha > 0 and rows.start < block.rows:
        elements = elements_of(block, rows)
        add_squares(
            parameters + elements.start,
            NULL if run.state == NULL else <floating *>run.state + elements.start,
            elements.stop - elements.start, sums,
        )
        rows = next_rows(run, block, rows)


cdef inline void count_wait(
    Run *run, const Part *part, double l2, double decay, const double *before, const double *after
) noexcept nogil:
    """All other rows of an owner wait for this update too.

    ``before`` and ``after`` are the sums of squares (3,) of the rows that have been updated.
    """
    cdef const sparse_t *sparse = &run.sparse
    cdef Py_ssize_t rank = part.rank
    cdef Py_ssize_t table = rank * (sparse.skipping.ages + 1) * sparse.skipping.width
    cdef double *sums = sparse.sums + 3 * rank
    cdef double ww = sums[0] - before[0], wv = sums[1] - before[1], vv = sums[2] - before[2]
    cdef double[4] u
    add_update(
        sparse.skipping, &part.step.rule, l2, decay, sparse.n_updates[rank], sparse.tables + table
    )
    sparse.n_updates[rank] += 1
    if run.architecture.alpha > 0:
        linear_update(&part.step.rule, l2, decay, u)
        sums[0] = after[0] + u[0] * u[0] * ww + 2 * u[0] * u[1] * wv + u[1] * u[1] * vv
        sums[1] = after[1] + u[0] * u[2] * ww + (u[0] * u[3] + u[1] * u[2]) * wv + u[1] * u[3] * vv
        sums[2] = after[2] + u[2] * u[2] * ww + 2 * u[2] * u[3] * wv + u[3] * u[3] * vv
        run.squares[rank] += run.architecture.blocks[0].l2_share * max(0.0, sums[0])


cdef inline void catch_up_some(Run *run, Py_ssize_t rank, floating *parameters) noexcept nogil:
    """So many of the owner's rows, in turn, that each has its turn before it is too old."""
    cdef const sparse_t *sparse = &run.sparse
    cdef const ParameterBlock *block = &run.architecture.blocks[0]
    cdef Py_ssize_t group = <Py_ssize_t>1 << sparse.shift, size = run.barrier.size, _
    cdef Py_ssize_t first = rank * group, row = sparse.cursor[rank]
    if first >= block.rows:
        return
    for _ in range(min(block.rows, block.rows // size + group) // sparse.skipping.ages + 1):
        if row >= block.rows:
            row = first
        catch_up_rows(run, rank, Range(row, row + 1), parameters)
        row += 1
        if row % group == 0:
            row += (size - 1) * group
    sparse.cursor[rank] = row


cdef inline void finish_waiting(Run *run, Py_ssize_t rank, floating *parameters) noexcept nogil:
    """All rows of an owner catch up, and a next run can begin."""
    cdef const ParameterBlock *block = &run.architecture.blocks[0]
    cdef Range rows = first_rows(run, block, rank)
    cdef Py_ssize_t most = max(<Py_ssize_t>1, BLOCK // block.columns), n
    cdef Range some
    while rows.start < block.rows:
        some.start = rows.start
        while some.start < rows.stop:
            some.stop = min(rows.stop, some.start + most)
            n = some.stop - some.start
            catch_up_rows(run, rank, some, parameters)
            memset(&run.sparse.n_done[some.start], 0, n * sizeof(int))
            some.start = some.stop
        rows = next_rows(run, block, rows)
    run.sparse.n_updates[rank] = 0


cdef inline void update_found_rows(
    Run *run, const Part *part, Range slots, double l2, floating *scratch, floating *parameters,
    double *before, double *after,
) noexcept nogil:
    """Update the rows of some of the features found; before and after (3,) grow by their squares.

    Those of few units are copied, as in ``catch_up_found``.
    """
    cdef const sparse_t *sparse = &run.sparse
    cdef Py_ssize_t h = run.architecture.units[1], at = part.rank * sparse.most_features, slot
    cdef Py_ssize_t n = slots.stop - slots.start, size = n * h, stride
    cdef const int *found = sparse.found + at + slots.start
    cdef bint has_penalty = run.architecture.alpha > 0 and sparse.idle == WAITING
    cdef floating *g = scratch
    cdef floating *w = scratch + size
    cdef floating *state = w + size
    stride = size
    if h > COPIED_UNITS:
        stride = run.architecture.n_parameters
        w, state = parameters + found[0] * h, <floating *>run.state + found[0] * h
    else:
        copy_rows(run, found, n, parameters, w, back=False)
    if rule_entry(run.rule.name).n_states == 0:
        state = NULL
    memset(g, 0, size * sizeof(floating))
    for slot in range(slots.start, slots.stop):
        add_feature_gradient(run, part.rank, slot, g)
        g += h
    if has_penalty:
        add_squares(w, state, size, before)
    apply(&part.step.rule, w, scratch, state, stride, size, l2, part.step.rule.weight_decay)
    if has_penalty:
        add_squares(w, state, size, after)
    if h <= COPIED_UNITS:
        copy_rows(run, found, n, parameters, w, back=True)


cdef inline void update_waiting(
    Run *run, const Part *part, double l2, floating *scratch, floating *parameters
) noexcept nogil:
    """Update the owner's rows of W whose features occur; the others wait."""
    cdef const sparse_t *sparse = &run.sparse
    cdef Py_ssize_t h = run.architecture.units[1], at = part.rank * sparse.most_features, slot
    cdef Py_ssize_t n_found = sparse.n_found[part.rank], most = 1
    cdef Range slots = Range(0, 0)
    cdef double[3] before, after
    before[0] = before[1] = before[2] = after[0] = after[1] = after[2] = 0
    if h <= COPIED_UNITS:
        most = COPIED_ELEMENTS // h
    while slots.start < n_found:
        slots.stop = min(n_found, slots.start + most)
        if most == 1 and slots.start + ROWS_AHEAD < n_found:
            fetch_row(run, sparse.found[at + slots.start + ROWS_AHEAD], parameters)
        update_found_rows(run, part, slots, l2, scratch, parameters, before, after)
        slots.start = slots.stop
    if sparse.idle == WAITING:
        count_wait(run, part, l2, part.step.rule.weight_decay, before, after)
        for slot in range(n_found):
            sparse.n_done[sparse.found[at + slot]] += 1
        catch_up_some(run, part.rank, parameters)
