"""The update of one part of the parameters: gradient, penalties, clipping, rule.

The gradient of W (d, h) is (A^T D + l2 W) / weight, that of b (h,) the sum of D's rows / weight.
``GradientPlace`` says where it is made. For plain SGD that is W itself::

    W <- (1 - rate l2 / weight) W - (rate / weight) A^T D
"""
from cython cimport floating
from libc.math cimport INFINITY, hypot, sqrt
from libc.string cimport memset

from cymlp._engine.architecture cimport WEIGHTS, ParameterBlock, architecture_t
from cymlp._engine.dataset cimport Range
from cymlp._engine.kernels.elements cimport add_scaled, scale
from cymlp._engine.kernels.gemm cimport gemm
from cymlp._engine.kernels.reductions cimport absolute_sum, column_sums, squared_norm
from cymlp._engine.kernels.update_rules cimport apply, rule_t, soft_threshold
from cymlp._engine.passes cimport deltas_at, gather_inputs
from cymlp._engine.run cimport (
    IN_BUFFER, IN_PARAMETERS, MOST_ROWS_IN_BLOCK, Part, Run, Step, clips, elements_of, first_rows,
    is_sparse, next_rows
)
from cymlp._engine.sparse_space cimport UPDATED
from cymlp._engine.sparse_update cimport (
    add_feature_gradient, add_sparse_gradient, is_found, update_waiting
)
from cymlp._engine.workspace cimport PIECE_ELEMENTS, PIECE_ROWS


cdef inline const floating *layer_inputs(
    const Run *run, const Part *part, Py_ssize_t layer, Range units, floating *work,
    Py_ssize_t *stride,
) noexcept nogil:
    """The chunk's A_l of these units (n, units)."""
    cdef const architecture_t *architecture = run.architecture
    cdef const floating *A
    if layer > 0:
        stride[0] = architecture.units[layer]
        return work + run.space.R * architecture.A[layer] + units.start
    # The rows were gathered before the passes.
    A = gather_inputs(run, part.step.chunk, Range(0, 0), part.features, work, stride)
    return A + (units.start - part.features.start)


cdef inline void make_gradient(
    const Run *run, const Part *part, const ParameterBlock *block, const floating *A,
    Py_ssize_t stride, Range rows, double factor, double keep, floating *G,
) noexcept nogil:
    """G (rows, columns) <- keep G + factor A^T D, or, of intercepts, + factor the sum of D's rows.

    A (n, rows) are the inputs that belong to these rows of the block.
    """
    cdef Py_ssize_t n = part.step.chunk.n, n_rows = rows.stop - rows.start
    cdef Py_ssize_t h = run.architecture.units[block.layer + 1]
    cdef const floating *D = <floating *>run.work + deltas_at(run, block.layer)
    cdef floating *scratch = <floating *>part.scratch
    cdef floating *sums = scratch + run.space.gradient + run.architecture.widest
    if block.kind != WEIGHTS:
        column_sums(D + rows.start, n, n_rows, h, sums)
        scale(G, n_rows, <floating>keep)
        add_scaled(G, <floating>factor, sums, n_rows)
    else:
        gemm(
            True, False, n_rows, h, n, <floating>factor, A, stride, D, h,
            <floating>keep, G, h, G, h, scratch,
        )


cdef inline void add_penalties(
    Run *run, Py_ssize_t rank, const ParameterBlock *block, const floating *W, Py_ssize_t size
) noexcept nogil:
    """squares and sizes of a part grow by those of these parameters W (size,) of a block."""
    if not block.decays:
        return
    if run.architecture.alpha > 0:
        run.squares[rank] += block.l2_share * squared_norm(W, size)
    if block.l1 > 0:
        run.sizes[rank] += block.l1 * absolute_sum(W, size)


cdef inline void sum_penalties(
    Run *run, Py_ssize_t rank, const floating *parameters
) noexcept nogil:
    """squares and sizes of a part <- those of all its parameters, where there are penalties."""
    cdef const ParameterBlock *block
    cdef Py_ssize_t i
    cdef Range rows, elements
    run.squares[rank] = run.sizes[rank] = 0
    for i in range(run.architecture.n_blocks):
        block = &run.architecture.blocks[i]
        rows = first_rows(run, block, rank)
        while rows.start < block.rows:
            elements = elements_of(block, rows)
            add_penalties(
                run, rank, block, parameters + elements.start, elements.stop - elements.start
            )
            rows = next_rows(run, block, rows)


cdef inline void apply_update(
    Run *run, const Part *part, const ParameterBlock *block, Range elements, double l2,
    floating *G, floating *parameters,
) noexcept nogil:
    """Update these elements of a block by their gradient G (size,); NULL if that is done already.

    ``l2`` times the parameters is yet to be added to G. The part's penalties grow by theirs.
    """
    cdef const rule_t *rule = &part.step.rule
    cdef Py_ssize_t n = run.architecture.n_parameters, size = elements.stop - elements.start
    cdef floating *W = parameters + elements.start
    cdef floating *state = <floating *>run.state + elements.start
    if G != NULL:
        apply(rule, W, G, state, n, size, l2, rule.weight_decay if block.decays else 0)
    if block.l1 > 0:
        soft_threshold(rule, W, state, n, size, block.l1 / part.step.weight)
    add_penalties(run, part.rank, block, W, size)


cdef inline void use_gradient(
    Run *run, const Part *part, const ParameterBlock *block, Range elements, double l2,
    floating *G, floating *parameters,
) noexcept nogil:
    """After the last chunk, update these elements by G (size,), or leave it to be clipped."""
    cdef Py_ssize_t size = elements.stop - elements.start
    if part.step.is_last and clips(&part.step.rule):
        if block.decays:
            add_scaled(G, <floating>l2, parameters + elements.start, size)
        run.norms[part.rank] += squared_norm(G, size)
    elif part.step.is_last:
        apply_update(
            run, part, block, elements, l2,
            NULL if G == parameters + elements.start else G, parameters,
        )


cdef inline void update_all_rows(
    Run *run, const Part *part, const ParameterBlock *block, double l2, floating *G,
    floating *parameters,
) noexcept nogil:
    """Update the part's rows of W (d, h) by entries of X, with gradient 0 where there are none."""
    cdef Py_ssize_t h = block.columns, row, last
    cdef Range rows = first_rows(run, block, part.rank)
    while rows.start < block.rows:
        row = rows.start
        while row < rows.stop:
            last = row
            while last < rows.stop and (last + 1 - row) * h <= PIECE_ELEMENTS and not is_found(
                &run.sparse, part.rank, run.sparse.n_found[part.rank], <int>last
            ):
                last += 1
            memset(G, 0, max(<Py_ssize_t>1, last - row) * h * sizeof(floating))
            if last == row:
                last += 1
                add_feature_gradient(run, part.rank, run.sparse.slot[row], G)
            apply_update(run, part, block, elements_of(block, Range(row, last)), l2, G, parameters)
            row = last
        rows = next_rows(run, block, rows)


cdef inline void update_sparse_block(
    Run *run, const Part *part, const ParameterBlock *block, floating *parameters
) noexcept nogil:
    """Update a part's rows of the first layer's W by the entries of a sparse X."""
    cdef double l2 = run.architecture.alpha * block.l2_share / part.step.weight
    cdef floating *G = <floating *>run.gradient
    cdef floating *scratch = <floating *>part.scratch + run.space.gradient
    cdef Range rows = first_rows(run, block, part.rank), elements
    if not run.sparse.whole_gradient:
        if run.sparse.idle == UPDATED:
            update_all_rows(run, part, block, l2, scratch, parameters)
        else:
            update_waiting(run, part, l2, scratch, parameters)
        return
    add_sparse_gradient(run, part, G)
    while rows.start < block.rows:
        elements = elements_of(block, rows)
        use_gradient(run, part, block, elements, l2, G + elements.start, parameters)
        rows = next_rows(run, block, rows)


cdef inline void update_block(
    Run *run, const Part *part, const ParameterBlock *block, floating *parameters
) noexcept nogil:
    """Update a part's rows of a block by the chunk, some of them after others.

    Where more chunks follow, or where the gradient will be clipped, it is made and left.
    """
    cdef const Step *step = part.step
    cdef const rule_t *rule = &step.rule
    cdef Range all_rows = first_rows(run, block, part.rank), rows, elements
    cdef double l2 = run.architecture.alpha * block.l2_share / step.weight
    cdef double factor = 1 / step.weight, keep = not step.is_first
    cdef Py_ssize_t piece = all_rows.stop - all_rows.start, stride = 0
    cdef floating *work = <floating *>run.work
    cdef const floating *A = NULL
    cdef floating *G
    if run.gradient_place == IN_PARAMETERS:
        factor = -rule.learning_rate / step.weight
        keep = 1 - rule.learning_rate * ((rule.weight_decay if block.decays else 0) + l2)
    if block.kind == WEIGHTS:
        A = layer_inputs(run, part, block.layer, all_rows, work, &stride)
        if step.chunk.n <= MOST_ROWS_IN_BLOCK:
            piece = max(
                <Py_ssize_t>PIECE_ROWS, PIECE_ELEMENTS // block.columns // PIECE_ROWS * PIECE_ROWS
            )
    rows.start = all_rows.start
    while rows.start < all_rows.stop:
        rows.stop = min(all_rows.stop, rows.start + piece)
        elements = elements_of(block, rows)
        if run.gradient_place == IN_PARAMETERS:
            G = parameters + elements.start
        elif run.gradient_place == IN_BUFFER:
            G = <floating *>run.gradient + elements.start
        else:
            G = <floating *>part.scratch + run.space.gradient
        make_gradient(run, part, block, A, stride, rows, factor, keep, G)
        if A != NULL:
            A += rows.stop - rows.start
        use_gradient(run, part, block, elements, l2, G, parameters)
        rows.start = rows.stop


cdef inline double norm_without_overflow(
    const Run *run, Py_ssize_t rank, const floating *gradient
) noexcept nogil:
    """The norm of a part's gradient, whose sum of squares overflows."""
    cdef Py_ssize_t i, j
    cdef const ParameterBlock *block
    cdef Range rows, elements
    cdef double norm = 0
    for i in range(run.architecture.n_blocks):
        block = &run.architecture.blocks[i]
        rows = first_rows(run, block, rank)
        while rows.start < block.rows:
            elements = elements_of(block, rows)
            for j in range(elements.start, elements.stop):
                norm = hypot(norm, gradient[j])
            rows = next_rows(run, block, rows)
    return norm


cdef inline void update(Run *run, const Part *part, floating *parameters) noexcept nogil:
    """Update a part's rows of every block of parameters by the chunk, or make their gradient."""
    cdef Py_ssize_t rank = part.rank, i
    if part.step.is_last:
        run.squares[rank] = run.sizes[rank] = run.norms[rank] = 0
    for i in range(run.architecture.n_blocks):
        if is_sparse(run, &run.architecture.blocks[i]):
            update_sparse_block(run, part, &run.architecture.blocks[i], parameters)
        else:
            update_block(run, part, &run.architecture.blocks[i], parameters)
    if part.step.is_last and clips(&part.step.rule):
        run.norms[rank] = sqrt(run.norms[rank])
        if run.norms[rank] == INFINITY:
            run.norms[rank] = norm_without_overflow(run, rank, <floating *>run.gradient)


cdef inline void update_clipped(Run *run, const Part *part, floating *parameters) noexcept nogil:
    """Update a part's rows of every block by the clipped gradient.

    That is the gradient, made by all parts, times min(1, clip_norm / |gradient|) (R. Pascanu et
    al., "On the difficulty of training recurrent neural networks", 2013).
    """
    cdef Py_ssize_t i, other
    cdef const ParameterBlock *block
    cdef Range rows, elements
    cdef double clip_norm = part.step.rule.clip_norm, norm = 0, factor = 1
    cdef floating *G
    for other in range(run.barrier.size):
        norm = hypot(norm, run.norms[other])
    if clip_norm < norm < INFINITY:
        factor = clip_norm / norm
    for i in range(run.architecture.n_blocks):
        block = &run.architecture.blocks[i]
        rows = first_rows(run, block, part.rank)
        while rows.start < block.rows:
            elements = elements_of(block, rows)
            G = <floating *>run.gradient + elements.start
            scale(G, elements.stop - elements.start, <floating>factor)
            apply_update(run, part, block, elements, 0, G, parameters)
            rows = next_rows(run, block, rows)
