"""The engine: forward pass, backward pass and update of a multi-layer perceptron.

Letters, everywhere in this folder:

====  ============================================================================
n     rows of a batch
d, h  units going into a layer and out of it
A     (n, d) a layer's inputs: rows of X at layer 0, the outputs of layer l - 1 after
W, b  (d, h) weights and (h,) intercepts of a layer
Z     (n, h) pre-activations A W + b
F     (n, h) slopes dA/dZ of a hidden layer, kept only where A does not tell them
D     (n, h) deltas dloss/dZ of a layer, each row times its sample weight
T, w  (n, k) targets and (n,) weights of the rows
====  ============================================================================

All parameters are one vector, every W and then every b; Architecture knows where each begins,
Dataset where X lies, Workspace where all that lies between them. A batch is worked through
in chunks of at most R rows, so that its intermediate results stay small, whatever its size.

A team of threads makes a step together, in three phases that each share out differently::

    inputs    by features   gather columns of X; partial products with these rows of W_0
    passes    by rows       forward pass, loss, deltas back to the first layer
    update    by features   the gradient of these rows of every W, and their update

They meet after the first and the second, so that each reads what the others have written;
where the gradient's norm is clipped, also between gradient and update. A member's rows of W_0,
its columns of X and its part of Adam's moments are touched by it alone and stay in its cache.
Where X is sparse or has few features there are no partial products,
and rows of X are gathered at the beginning of the passes. One thread is a team too, and meets
nobody. Nothing is allocated inside a run, and below a ``def`` nothing needs the GIL, save the
poll for signals.
"""
from cython cimport floating
from libc.math cimport INFINITY, NAN, hypot, sqrt
from libc.string cimport memset

from cymlp._engine.kernels.activations cimport (
    activate, activate_keeping_slope, multiply_derivative
)
from cymlp._engine.kernels.dropout cimport drop_out, layer_key
from cymlp._engine.kernels.elements cimport (
    absolute_sum, add_parts, add_scaled, column_sums, multiply, scale, smooth
)
from cymlp._engine.kernels.gemm cimport (
    ANY_FLOPS, MOST_FLOPS, VECTOR_BYTES, are_finite, gemm, squared_norm
)
from cymlp._engine.kernels.losses cimport LOGISTIC_LOG_LOSS, link, output_delta
from cymlp._engine.kernels.optimizers cimport (
    GRADIENT, SGD, Rule, apply, l1_coefficient, l2_share, soft_threshold
)
from cymlp._engine.kernels.subnormals cimport flush_subnormals, restore_subnormals
from cymlp._engine.architecture cimport Architecture, Net, keeps_slope
from cymlp._engine.dataset cimport (
    Batch, Data, Range, Dataset, csr_product, csr_transposed_product, dense_batch,
    gather_targets, gather_weights, part, total_weight
)
from cymlp._engine.signals cimport Poll, interrupted, propagate, seconds
from cymlp._engine.team cimport (
    MOST_MEMBERS, Gate, Team, done_alone, flag, is_set, meet, put, run_together, waits_too_much
)
from cymlp._engine.update_rule cimport UpdateRule
from cymlp._engine.workspace cimport (
    BLOCK_ELEMENTS, BLOCK_ROWS, LINE, Workspace, elements_per_row, prediction_elements_per_row,
    prediction_rows_with_room, prediction_size, prediction_workspace, rows_with_room, workspace,
    workspace_size
)

# Whether this build leaves large products to BLAS.
USES_BLAS = MOST_FLOPS < ANY_FLOPS

# A member's part of a workspace: its second cache; but at least so many rows, as more rows make
# faster products, unless they take more than so many bytes.
cdef Py_ssize_t CHUNK_BYTES = 1_500_000
cdef Py_ssize_t CHUNK_ROWS = 512
cdef Py_ssize_t MOST_CHUNK_BYTES = 64_000_000
# Between two polls for signals no more flops, and no more products of an entry of X with a weight.
cdef double CHUNK_FLOPS = 8e9
cdef double CHUNK_SPARSE_PRODUCTS = 5e7
cdef Py_ssize_t MOST_BLOCKWISE_ROWS = 128  # gradients of longer batches are made in one piece


cdef struct Run:
    # What the members of a team work on together.
    const Net *net
    const Data *data
    Workspace space
    Gate *gate
    Py_ssize_t itemsize
    Batch batch               # the samples to visit
    Py_ssize_t batch_size
    Py_ssize_t start          # those before are done: n_counted of them, as some are skipped
    Py_ssize_t n_counted
    Rule rule                 # as it is at the start
    long long first_update    # n_updates of the rule before the run
    const double *rates       # learning rates of the updates to come, or NULL for the rule's
    void *parameters
    void *gradient            # NULL where each block's gradient is used and forgotten
    void *state
    void *work
    double *scores            # of each member, (n_outputs,) as add_scores has it; or NULL
    void *X_gradient          # dloss/dX (n_samples, n_features), or NULL
    double X_scale            # what it is multiplied with
    void *out                 # predictions
    bint linked
    bint look                 # whether to look if X is finite
    flag valid                # whether it was, as far as looked at, and all sparse indices
    Poll poll                 # asked by member 0,
    flag stopped              # which tells the others,
    flag alone                # and whether it goes on without them
    double loss[MOST_MEMBERS]      # of each part
    double squares[MOST_MEMBERS]   # |W|^2 of each part's rows, times the layer's share of alpha,
    double sizes[MOST_MEMBERS]     # and |W|_1 times the L1 coefficient, where there is a penalty
    double norms[MOST_MEMBERS]     # of each part's gradient, where that is clipped


cdef Team ONE_THREAD = Team(1)


cdef inline Range share(
    Py_ssize_t total, Py_ssize_t rank, Py_ssize_t size, Py_ssize_t unit
) noexcept nogil:
    """A member's part of ``total`` things that are given out by ``unit``."""
    cdef Range own
    cdef Py_ssize_t units = (total + unit - 1) // unit
    own.start = min(total, units * rank // size * unit)
    own.stop = min(total, units * (rank + 1) // size * unit)
    return own


cdef inline Py_ssize_t deltas_at(const Net *net, Workspace space, Py_ssize_t layer) noexcept nogil:
    """Where this layer's D begins in the workspace; the output layer's takes its A's place."""
    cdef Py_ssize_t outputs = space.R * net.A[layer + 1]
    return outputs if layer + 1 == net.n_layers else space.D + outputs


cdef inline const floating *own_inputs(
    Run *run, Py_ssize_t rank, Batch batch, Py_ssize_t n_rows, floating *work, Py_ssize_t *stride
) noexcept nogil:
    """A part's columns of A_0, of which the first ``n_rows`` rows are gathered now if need be."""
    cdef Range columns = share(run.net.units[0], rank, run.gate.size, LINE)
    return dense_batch(
        run.data, batch, Range(0, n_rows), columns,
        work + run.space.X + run.space.R * columns.start, stride,
    )


cdef void inputs(
    Run *run, Py_ssize_t rank, Batch batch, const floating *parameters, floating *work
) noexcept nogil:
    """P (n, h) <- A_0 W_0 over a part's features alone."""
    cdef Workspace space = run.space
    cdef Py_ssize_t h = run.net.units[1], stride = 0
    cdef Range own = share(run.net.units[0], rank, run.gate.size, LINE)
    cdef const floating *X = own_inputs(run, rank, batch, batch.n, work, &stride)
    cdef floating *P = work + space.P + rank * space.R * h
    gemm(
        False, False, batch.n, h, own.stop - own.start,
        <floating>1, X, stride, parameters + run.net.W[0] + own.start * h, h,
        <floating>0, P, h, P, h, work + space.own + rank * space.own_size,
    )


cdef inline const floating *all_inputs(
    Run *run, Batch batch, Range rows, floating *work, Py_ssize_t *stride
) noexcept nogil:
    """A_0, of which these rows are gathered now if need be; NULL where X is sparse."""
    if run.data.sparse:
        return NULL
    return dense_batch(
        run.data, batch, rows, Range(0, run.net.units[0]), work + run.space.X, stride
    )


cdef inline void hidden_outputs(
    const Net *net, Py_ssize_t layer, const Rule *rule, Batch batch, floating *Z, floating *F
) noexcept nogil:
    """A (n, h) <- f(Z) in place; while training by ``rule``, with dropout and slopes F (n, h)."""
    cdef Py_ssize_t h = net.units[layer + 1]
    if rule == NULL or not keeps_slope(net, layer):
        activate(net.activation[layer], Z, batch.n * h)
        return
    activate_keeping_slope(net.activation[layer], Z, F, batch.n * h)
    if net.dropout[layer] > 0:
        drop_out(
            Z, F, batch.n, h, net.dropout[layer],
            layer_key(rule.seed, rule.n_updates, layer), batch.first - rule.first,
        )


cdef bint forward(
    const Net *net, const floating *parameters, const Data *data, const Rule *rule, Batch batch,
    const floating *X, Py_ssize_t stride, Py_ssize_t first_layer,
    floating *work, Workspace space, Py_ssize_t row, floating *Z_out, floating *pack,
) noexcept nogil:
    """A_{l+1} (n, h) <- f(A_l W_l + b_l) for the hidden layers; Z_out (n, k) for the last.

    The batch's first row is row ``row`` of the chunk. Layers before ``first_layer`` are done.
    ``rule`` is NULL in predictions. Return whether all indices of a sparse X are valid.
    """
    cdef Py_ssize_t R = space.R
    cdef Py_ssize_t layer, d, h
    cdef bint valid = True
    cdef const floating *A
    cdef floating *Z
    for layer in range(first_layer, net.n_layers):
        d, h = net.units[layer], net.units[layer + 1]
        A = X if layer == 0 else work + R * net.A[layer] + row * d
        Z = Z_out if layer + 1 == net.n_layers else work + R * net.A[layer + 1] + row * h
        if A == NULL:
            valid = multiply_sparse(
                data, batch, parameters + net.W[layer], parameters + net.b[layer], h, Z
            )
        else:
            gemm(
                False, False, batch.n, h, d,
                <floating>1, A, stride if layer == 0 else d, parameters + net.W[layer], h,
                <floating>1, parameters + net.b[layer], 0, Z, h, pack,
            )
        if layer + 1 < net.n_layers:
            hidden_outputs(
                net, layer, rule, batch, Z, work + space.F + R * net.A[layer + 1] + row * h
            )
    return valid


cdef void backward(
    const Net *net, const floating *parameters, Py_ssize_t n, floating *work, Workspace space,
    Py_ssize_t row, floating *pack,
) noexcept nogil:
    """D_{l-1} (n, d) <- (D_l W_l^T) * f'(Z_{l-1}) from the output layer's D to the first."""
    cdef Py_ssize_t layer, d, h, outputs_at
    cdef floating *D
    cdef floating *D_below
    for layer in range(net.n_layers - 1, 0, -1):
        d, h = net.units[layer], net.units[layer + 1]
        D = work + deltas_at(net, space, layer) + row * h
        D_below = work + deltas_at(net, space, layer - 1) + row * d
        gemm(
            False, True, n, d, h,
            <floating>1, D, h, parameters + net.W[layer], h,
            <floating>0, D_below, d, D_below, d, pack,
        )
        outputs_at = space.R * net.A[layer] + row * d
        if keeps_slope(net, layer - 1):
            multiply(D_below, work + space.F + outputs_at, n * d)
        else:
            multiply_derivative(net.activation[layer - 1], work + outputs_at, D_below, n * d)


cdef inline void gather_smoothed_targets(
    const Net *net, const Data *data, Batch batch, Py_ssize_t k, floating *T
) noexcept nogil:
    """T (n, k) <- the batch's targets, those of classes smoothed."""
    gather_targets(data, batch, k, T)
    if net.label_smoothing > 0:
        smooth(
            T, batch.n * k, <floating>net.label_smoothing,
            <floating>(net.label_smoothing / (2 if net.output == LOGISTIC_LOG_LOSS else k)),
        )


cdef void input_gradient(
    Run *run, Batch batch, const floating *parameters, const floating *D, floating *pack
) noexcept nogil:
    """The batch's rows of dloss/dX (n, d) <- X_scale D_0 W_0^T, as many columns as a pack takes."""
    cdef const Net *net = run.net
    cdef Py_ssize_t d = net.units[0], h = net.units[1], start = 0, columns
    cdef floating *out
    while start < d:
        columns = min(net.widest + VECTOR_BYTES, d - start)
        out = <floating *>run.X_gradient + batch.first * d + start
        gemm(
            False, True, batch.n, columns, h,
            <floating>run.X_scale, D, h, parameters + start * h, h,
            <floating>0, out, d, out, d, pack,
        )
        start += columns


cdef double passes(
    Run *run, const Rule *rule, Py_ssize_t rank, Batch batch, const floating *parameters,
    floating *work,
) noexcept nogil:
    """Forward and backward pass of a part's rows; return sum_i w_i loss_i of them."""
    cdef const Net *net = run.net
    cdef Workspace space = run.space
    cdef Py_ssize_t h = net.units[1], k = net.units[net.n_layers], stride = 0
    cdef Range rows = share(batch.n, rank, run.gate.size, 1)
    cdef Batch own = part(batch, rows.start, rows.stop - rows.start)
    cdef floating *pack = work + space.own + rank * space.own_size
    cdef floating *Z = work + space.R * net.A[net.n_layers] + rows.start * k
    cdef floating *T = work + space.T + rows.start * k
    cdef floating *w = work + space.w + rows.start
    cdef const floating *X = NULL
    cdef double loss
    if space.by_features:
        add_parts(
            work + space.P + rows.start * h, run.gate.size, space.R * h,
            parameters + net.b[0], own.n, h, work + rows.start * h,
        )
        if net.n_layers > 1:
            hidden_outputs(
                net, 0, rule, own, work + rows.start * h, work + space.F + rows.start * h
            )
    else:
        X = all_inputs(run, batch, rows, work, &stride)
        if X != NULL:
            X += rows.start * stride
    if not forward(
        net, parameters, run.data, rule, own, X, stride, <Py_ssize_t>space.by_features,
        work, space, rows.start, Z, pack,
    ):
        put(&run.valid, False)
    gather_smoothed_targets(net, run.data, own, k, T)
    gather_weights(run.data, own, w)
    loss = output_delta(
        net.output, net.loss_parameter, Z, T, NULL if run.data.weights.buf == NULL else w,
        own.n, k, NULL if run.scores == NULL else run.scores + rank * k,
    )
    backward(net, parameters, own.n, work, space, rows.start, pack)
    if run.X_gradient != NULL:
        input_gradient(
            run, own, parameters, work + deltas_at(net, space, 0) + rows.start * h, pack
        )
    return loss


cdef struct Coefficients:
    # out <- keep out + scale A^T D, of the weights and of the intercepts
    double scale, keep_W, keep_b


cdef inline floating *gradient_place(
    const Rule *rule, floating *parameters, floating *gradient, floating *block, Py_ssize_t offset
) noexcept nogil:
    """Where the gradient of the parameters from ``offset`` on is to be made."""
    if gradient != NULL:
        return gradient + offset
    return parameters + offset if rule.name == SGD else block


cdef inline bint clips(const Rule *rule) noexcept nogil:
    """Whether the update has to wait until the norm of the whole gradient is known."""
    return rule.clip_norm > 0 and rule.name != GRADIENT


cdef inline void add_penalties(
    Run *run, const Rule *rule, Py_ssize_t rank, Py_ssize_t layer, const floating *W,
    Py_ssize_t size,
) noexcept nogil:
    """squares and sizes of a part grow by those of these weights W (size,) of a layer."""
    cdef double l1 = l1_coefficient(rule, layer)
    if rule.alpha > 0:
        run.squares[rank] += l2_share(rule, layer) * squared_norm(W, size)
    if l1 > 0:
        run.sizes[rank] += l1 * absolute_sum(W, size)


cdef void descend(
    Run *run, const Rule *rule, Py_ssize_t rank, Py_ssize_t layer, double weight,
    Py_ssize_t offset, Py_ssize_t size, floating *parameters, floating *G, floating *state,
    double l2,
) noexcept nogil:
    """Update the weights from ``offset`` on by their gradient G (size,), unless that is done.

    ``l2`` times the weights is yet to be added to it. The part's penalties grow by theirs.
    """
    cdef floating *W = parameters + offset
    cdef double l1 = l1_coefficient(rule, layer)
    if G != W:
        apply(rule, W, G, state + offset, run.net.n_parameters, size, l2, rule.weight_decay)
    if l1 > 0:
        soft_threshold(rule, W, state + offset, run.net.n_parameters, size, l1 / weight)
    add_penalties(run, rule, rank, layer, W, size)


cdef void update_weights(
    Run *run, const Rule *rule, Py_ssize_t rank, Py_ssize_t layer, Batch batch, const floating *A,
    Py_ssize_t stride, Coefficients c, double weight, bint last_chunk, floating *parameters,
    floating *gradient, floating *state, floating *work,
) noexcept nogil:
    """Update a part's rows of W_l (d, h), a block after another; A (n, own d), NULL if sparse."""
    cdef const Net *net = run.net
    cdef Py_ssize_t h = net.units[layer + 1], start, n_rows, offset
    cdef Range rows = share(net.units[layer], rank, run.gate.size, LINE)
    cdef Py_ssize_t block = rows.stop - rows.start
    cdef double l2 = rule.alpha * l2_share(rule, layer) / weight
    cdef floating *own = work + run.space.own + rank * run.space.own_size
    cdef const floating *D = work + deltas_at(net, run.space, layer)
    cdef floating *G
    if rule.name == SGD and gradient == NULL:
        c.keep_W = 1 - rule.learning_rate * (rule.weight_decay + l2)
    if A != NULL and batch.n <= MOST_BLOCKWISE_ROWS:
        block = max(<Py_ssize_t>BLOCK_ROWS, BLOCK_ELEMENTS // h // BLOCK_ROWS * BLOCK_ROWS)
    start = rows.start
    while start < rows.stop:
        n_rows = min(block, rows.stop - start)
        offset = net.W[layer] + start * h
        G = gradient_place(rule, parameters, gradient, own + run.space.gradient, offset)
        if A == NULL:
            scale(G, n_rows * h, <floating>c.keep_W)
            multiply_sparse_transposed(
                run.data, batch, rows, <floating>c.scale, D, h, G - start * h
            )
        else:
            gemm(
                True, False, n_rows, h, batch.n,
                <floating>c.scale, A + (start - rows.start), stride, D, h,
                <floating>c.keep_W, G, h, G, h, own,
            )
        if last_chunk and clips(rule):
            add_scaled(G, <floating>l2, parameters + offset, n_rows * h)
            run.norms[rank] += squared_norm(G, n_rows * h)
        elif last_chunk:
            descend(run, rule, rank, layer, weight, offset, n_rows * h, parameters, G, state, l2)
        start += n_rows


cdef void update_intercepts(
    Run *run, const Rule *rule, Py_ssize_t rank, Py_ssize_t layer, Batch batch, Coefficients c,
    bint last_chunk, floating *parameters, floating *gradient, floating *state, floating *work,
) noexcept nogil:
    """Update a member's part of b_l (h,)."""
    cdef const Net *net = run.net
    cdef Py_ssize_t h = net.units[layer + 1]
    cdef Range columns = share(h, rank, run.gate.size, LINE)
    cdef Py_ssize_t n_columns = columns.stop - columns.start
    cdef Py_ssize_t offset = net.b[layer] + columns.start
    cdef floating *block = work + run.space.own + rank * run.space.own_size + run.space.gradient
    cdef floating *sums = block + net.widest
    cdef floating *G = gradient_place(rule, parameters, gradient, block, offset)
    column_sums(
        work + deltas_at(net, run.space, layer) + columns.start, batch.n, n_columns, h, sums
    )
    scale(G, n_columns, <floating>c.keep_b)
    add_scaled(G, <floating>c.scale, sums, n_columns)
    if last_chunk and clips(rule):
        run.norms[rank] += squared_norm(G, n_columns)
    elif last_chunk and G != parameters + offset:
        apply(rule, parameters + offset, G, state + offset, net.n_parameters, n_columns, 0, 0)


cdef double own_norm(Run *run, Py_ssize_t rank, const floating *gradient) noexcept nogil:
    """The norm of a part's gradient whose sum of squares overflows."""
    cdef const Net *net = run.net
    cdef const floating *G
    cdef Py_ssize_t layer, i, size
    cdef Range own
    cdef double norm = 0
    for layer in range(net.n_layers):
        own = share(net.units[layer], rank, run.gate.size, LINE)
        G = gradient + net.W[layer] + own.start * net.units[layer + 1]
        size = (own.stop - own.start) * net.units[layer + 1]
        for i in range(size):
            norm = hypot(norm, G[i])
        own = share(net.units[layer + 1], rank, run.gate.size, LINE)
        for i in range(own.start, own.stop):
            norm = hypot(norm, gradient[net.b[layer] + i])
    return norm


cdef void update_clipped(
    Run *run, const Rule *rule, Py_ssize_t rank, double weight, floating *parameters,
    floating *gradient, floating *state,
) noexcept nogil:
    """Update a part's rows of every W, and its share of every b, by the clipped gradient.

    That is the gradient, made by all parts, times min(1, clip_norm / |gradient|) (R. Pascanu et
    al., "On the difficulty of training recurrent neural networks", 2013).
    """
    cdef const Net *net = run.net
    cdef Py_ssize_t layer, h, offset, size, other
    cdef Range own
    cdef double norm = 0, factor = 1
    for other in range(run.gate.size):
        norm = hypot(norm, run.norms[other])
    if rule.clip_norm < norm < INFINITY:
        factor = rule.clip_norm / norm
    for layer in range(net.n_layers):
        h = net.units[layer + 1]
        own = share(net.units[layer], rank, run.gate.size, LINE)
        offset, size = net.W[layer] + own.start * h, (own.stop - own.start) * h
        scale(gradient + offset, size, <floating>factor)
        descend(
            run, rule, rank, layer, weight, offset, size, parameters, gradient + offset, state, 0
        )
        own = share(h, rank, run.gate.size, LINE)
        offset, size = net.b[layer] + own.start, own.stop - own.start
        scale(gradient + offset, size, <floating>factor)
        apply(
            rule, parameters + offset, gradient + offset, state + offset, net.n_parameters,
            size, 0, 0,
        )


cdef void update(
    Run *run, const Rule *rule, Py_ssize_t rank, Batch batch, double weight,
    bint first_chunk, bint last_chunk, floating *parameters, floating *gradient,
    floating *state, floating *work,
) noexcept nogil:
    """Update a part's rows of every W, and its share of every b, by their gradients.

    The gradient of W (d, h) is (A^T D + alpha W) / weight, that of b the sum of D's rows /
    weight. It is made in one of three places: for plain SGD in W itself, that is

        W <- (1 - rate alpha / weight) W - (rate / weight) A^T D;

    else for a block of rows at a time, each updated before the next is begun; or, where a
    batch has several chunks or many rows, or the gradient is to be clipped, in ``gradient``, and
    the update follows the last chunk.
    """
    cdef const Net *net = run.net
    cdef Py_ssize_t layer, stride
    cdef Range own
    cdef const floating *A
    cdef Coefficients c = Coefficients(1 / weight, not first_chunk, not first_chunk)
    if rule.name == SGD and gradient == NULL:
        c.scale, c.keep_b = -rule.learning_rate / weight, 1
    if last_chunk:
        run.squares[rank] = run.sizes[rank] = run.norms[rank] = 0
    for layer in range(net.n_layers):
        own = share(net.units[layer], rank, run.gate.size, LINE)
        stride = net.units[layer]
        if layer > 0:
            A = work + run.space.R * net.A[layer] + own.start
        elif run.space.by_features:
            A = own_inputs(run, rank, batch, 0, work, &stride)
        else:
            A = all_inputs(run, batch, Range(0, 0), work, &stride)
            if A != NULL:
                A += own.start
        update_weights(
            run, rule, rank, layer, batch, A, stride, c, weight, last_chunk,
            parameters, gradient, state, work,
        )
        update_intercepts(
            run, rule, rank, layer, batch, c, last_chunk, parameters, gradient, state, work
        )
    if last_chunk and clips(rule):
        run.norms[rank] = sqrt(run.norms[rank])
        if run.norms[rank] == INFINITY:
            run.norms[rank] = own_norm(run, rank, gradient)


cdef inline void meet_others(Run *run, Range parts) noexcept nogil:
    """Wait until the other members have done this phase's parts too, if there are any."""
    cdef double waited
    if parts.stop - parts.start < run.gate.size:
        waited = meet(run.gate)
        if parts.start == 0:
            run.gate.waited += waited


cdef bint step(
    Run *run, const Rule *rule, Range *parts, Batch batch, double weight, floating *parameters,
    floating *gradient, floating *state, floating *work,
) noexcept nogil:
    """A member's parts of one update from one mini-batch of total weight ``weight``.

    Return whether it is to go on: not after a signal, which leaves the parameters untouched,
    nor if it is not member 0 and that goes on alone.
    """
    cdef Py_ssize_t start = 0, rank
    cdef Batch rows
    cdef double factor = batch.n / weight
    for rank in range(parts.start, parts.stop):
        run.loss[rank] += factor * 0.5 * rule.alpha * run.squares[rank]
        run.loss[rank] += factor * run.sizes[rank]
    while start < batch.n:
        rows = part(batch, start, run.space.R)
        if parts.start == 0:
            put(&run.stopped, interrupted(&run.poll))
            put(&run.alone, is_set(&run.alone) or waits_too_much(run.gate))
        for rank in range(parts.start, parts.stop if run.space.by_features else parts.start):
            inputs(run, rank, rows, parameters, work)
        meet_others(run, parts[0])
        # Neither changes until they have met again; but if member 0 goes on alone, a late one may
        # see either set or not: it returns in any case.
        if is_set(&run.stopped):
            return False
        if is_set(&run.alone):
            if parts.start > 0:
                return False
            parts.stop = run.gate.size
        for rank in range(parts.start, parts.stop):
            run.loss[rank] += factor * passes(run, rule, rank, rows, parameters, work)
        meet_others(run, parts[0])
        for rank in range(parts.start, parts.stop):
            update(
                run, rule, rank, rows, weight, start == 0, start + run.space.R >= batch.n,
                parameters, gradient, state, work,
            )
        start += run.space.R
    if clips(rule):
        meet_others(run, parts[0])
        for rank in range(parts.start, parts.stop):
            update_clipped(run, rule, rank, weight, parameters, gradient, state)
    return True


cdef void steps(
    Run *run, Range parts, floating *parameters, floating *gradient, floating *state,
    floating *work,
) noexcept nogil:
    """A member's parts of the mini-batches to come; those without weight are skipped.

    Member 0, once it has done all parts alone for a while, returns before the end.
    """
    cdef Py_ssize_t start = run.start, n_counted = run.n_counted, rank
    cdef double weight
    cdef bint go_on = True
    cdef Rule rule = run.rule
    cdef long long first = run.first_update
    cdef Batch batch
    for rank in range(parts.start, parts.stop if start == 0 else parts.start):
        note_penalties(run, rank, parameters)
    while start < run.batch.n and go_on and not done_alone(run.gate, parts):
        batch = part(run.batch, start, run.batch_size)
        weight = total_weight(run.data, batch)
        if weight > 0:
            if run.rates != NULL:
                rule.learning_rate = run.rates[rule.n_updates - first]
            rule.n_updates += 1
            rule.first = batch.first
            go_on = step(
                run, &rule, &parts, batch, weight, parameters, gradient, state, work
            )
            n_counted += batch.n if go_on else 0
        start += run.batch_size
    if parts.start == 0:
        rule.n_updates -= not go_on
        run.start, run.n_counted, run.rule = start, n_counted, rule


cdef void note_penalties(Run *run, Py_ssize_t rank, const floating *parameters) noexcept nogil:
    """squares and sizes of a member's rows of all layers, where there are penalties."""
    cdef const Net *net = run.net
    cdef const floating *W
    cdef Py_ssize_t layer, size
    cdef Range own
    run.squares[rank] = run.sizes[rank] = 0
    for layer in range(net.n_layers):
        own = share(net.units[layer], rank, run.gate.size, LINE)
        W = parameters + net.W[layer] + own.start * net.units[layer + 1]
        size = (own.stop - own.start) * net.units[layer + 1]
        add_penalties(run, &run.rule, rank, layer, W, size)


cdef void steps_job(void *arguments, Range parts) noexcept nogil:
    """``steps`` in the run's dtype, with subnormal numbers taken for 0."""
    cdef Run *run = <Run *>arguments
    cdef unsigned long long before = flush_subnormals()
    if run.itemsize == sizeof(float):
        steps(
            run, parts, <float *>run.parameters, <float *>run.gradient, <float *>run.state,
            <float *>run.work,
        )
    else:
        steps(
            run, parts, <double *>run.parameters, <double *>run.gradient, <double *>run.state,
            <double *>run.work,
        )
    restore_subnormals(before)


cdef void outputs(
    Run *run, Py_ssize_t rank, bint polls, const floating *parameters, floating *work,
    floating *out,
) noexcept nogil:
    """Outputs (n, k) of every so many-th chunk of the batch: a part of a prediction."""
    cdef const Net *net = run.net
    cdef Workspace space = run.space
    cdef Py_ssize_t k = net.units[net.n_layers], start = rank * space.R, stride = 0
    cdef floating *own = work + rank * space.own_size
    cdef const floating *X
    cdef Batch rows
    while start < run.batch.n and not is_set(&run.stopped):
        rows = part(run.batch, start, space.R)
        X = NULL
        if not run.data.sparse:
            X = dense_batch(
                run.data, rows, Range(0, rows.n), Range(0, net.units[0]), own + space.X, &stride
            )
            # This also brings the chunk into the cache, in order.
            if run.look and not are_finite(X, rows.n, net.units[0], stride):
                put(&run.valid, False)
        if not forward(
            net, parameters, run.data, NULL, rows, X, stride, 0, own, space, 0, out + start * k,
            own + space.own,
        ):
            put(&run.valid, False)
        if run.linked:
            link(net.output, out + start * k, rows.n, k)
        if polls:
            put(&run.stopped, interrupted(&run.poll))
        start += run.gate.size * space.R


cdef void outputs_job(void *arguments, Range parts) noexcept nogil:
    """``outputs`` in the run's dtype."""
    cdef Run *run = <Run *>arguments
    cdef Py_ssize_t rank
    for rank in range(parts.start, parts.stop):
        if run.itemsize == sizeof(float):
            outputs(
                run, rank, parts.start == 0, <float *>run.parameters, <float *>run.work,
                <float *>run.out,
            )
        else:
            outputs(
                run, rank, parts.start == 0, <double *>run.parameters, <double *>run.work,
                <double *>run.out,
            )


cdef inline bint multiply_sparse(
    const Data *data, Batch batch, const floating *W, const floating *b, Py_ssize_t h, floating *Z
) noexcept nogil:
    """``csr_product`` by the type of the indices."""
    if data.indices.itemsize == sizeof(int):
        return csr_product(
            data, <const int *>data.indices.buf, <const int *>data.indptr.buf,
            batch, W, b, h, Z,
        )
    return csr_product(
        data, <const long long *>data.indices.buf, <const long long *>data.indptr.buf,
        batch, W, b, h, Z,
    )


cdef inline void multiply_sparse_transposed(
    const Data *data, Batch batch, Range features, floating factor, const floating *D,
    Py_ssize_t h, floating *G,
) noexcept nogil:
    """G (d, h) <- G + factor X^T D, these features' rows of it, for the batch's rows of CSR X."""
    if data.indices.itemsize == sizeof(int):
        csr_transposed_product(
            data, <const int *>data.indices.buf, <const int *>data.indptr.buf,
            batch, features, factor, D, h, G,
        )
    else:
        csr_transposed_product(
            data, <const long long *>data.indices.buf, <const long long *>data.indptr.buf,
            batch, features, factor, D, h, G,
        )


cdef inline Py_ssize_t chunk_rows(
    const Net *net, const Data *data, Py_ssize_t size, Py_ssize_t per_row, Py_ssize_t itemsize
) noexcept nogil:
    """The most rows of a chunk: few enough for the cache and for the time between two polls."""
    cdef Py_ssize_t row_bytes = per_row * itemsize
    cdef Py_ssize_t R = max(
        min(CHUNK_ROWS, MOST_CHUNK_BYTES // row_bytes), size * CHUNK_BYTES // row_bytes
    )
    cdef double products = net.n_weights
    if data.sparse:
        products = net.units[1] * (
            <double>data.indices.shape[0] / max(<Py_ssize_t>1, data.n_samples)
        )
        R = <Py_ssize_t>min(<double>R, CHUNK_SPARSE_PRODUCTS / (1 + products))
        products = net.n_weights - net.units[0] * net.units[1]
    return max(<Py_ssize_t>1, <Py_ssize_t>min(<double>R, CHUNK_FLOPS * size / (6 * products + 1)))


cdef int prepare(
    Run *run, Architecture layout, Dataset samples, const Py_ssize_t[::1] order,
    Py_ssize_t n_parameters, Py_ssize_t itemsize, Team team,
) except -1:
    """Fill in what a run of any kind needs, once all is known to fit together."""
    cdef Py_ssize_t i
    memset(run, 0, sizeof(Run))
    run.net, run.data, run.itemsize = &layout.net, &samples.data, itemsize
    run.gate = &ONE_THREAD.gate
    if team is not None:
        run.gate = &team.gate
    if n_parameters != run.net.n_parameters or run.data.n_features != run.net.units[0]:
        raise ValueError("The samples, the parameters and the layout do not fit together")
    if samples.itemsize != itemsize:
        raise TypeError("The samples and the parameters must have one dtype")
    run.poll.asked = seconds()
    put(&run.valid, True)
    run.batch.n = run.data.n_samples
    if order is not None:
        run.batch.n = order.shape[0]
        run.batch.rows = &order[0] if run.batch.n > 0 else NULL
        for i in range(run.batch.n):
            if not 0 <= order[i] < run.data.n_samples:
                raise IndexError(f"order[{i}] is {order[i]}, of {run.data.n_samples} samples")
    return 0


cdef double train_together(Run *run, Py_ssize_t n_work) except? -1:
    """Run the steps of all members; return the loss, a mean over the rows that counted."""
    cdef double loss = 0
    cdef Py_ssize_t rank, R = rows_with_room(run.net, run.data, run.gate.size, n_work)
    if R < 1:
        raise ValueError("The workspace has no room for one row")
    if run.data.n_outputs != run.net.units[run.net.n_layers] or run.batch_size < 1:
        raise ValueError("The targets do not fit the layout, or a mini-batch has no rows")
    run.space = workspace(run.net, run.data, run.gate.size, R)
    if run.gradient == NULL and not updates_without_gradient(run, R):
        raise ValueError("Such an update of such a mini-batch needs memory for the gradient")
    with nogil:
        while run.start < run.batch.n and not is_set(&run.stopped):
            put(&run.alone, False)
            run_together(run.gate, steps_job, run)
    propagate(&run.poll)
    if not is_set(&run.valid):
        raise ValueError("The indices of the sparse matrix X changed while it was trained on.")
    for rank in range(run.gate.size):
        loss += run.loss[rank]
    return loss / max(run.n_counted, <Py_ssize_t>1)


cdef inline bint updates_without_gradient(const Run *run, Py_ssize_t R) noexcept nogil:
    """Whether each block's gradient can be used as soon as it is made."""
    if clips(&run.rule):
        return False
    if run.rule.name == SGD:
        return run.batch_size <= R
    return not run.data.sparse and run.batch_size <= min(R, MOST_BLOCKWISE_ROWS)


def is_finite(const floating[:, ::1] X):
    """Whether X (n, d) has neither NaN nor infinity."""
    cdef bint finite
    if X.shape[0] == 0 or X.shape[1] == 0:
        return True
    with nogil:
        finite = are_finite(&X[0, 0], 1, X.shape[0] * X.shape[1], 0)
    return finite


def workspace_elements(Architecture layout, Dataset samples, Py_ssize_t n_rows, Py_ssize_t size=1):
    """Elements of the workspace for training on batches of ``n_rows``, and its chunks' rows.

    Chunks keep what a thread works on in its cache, bound the memory to some megabytes, and
    the time between two polls for signals.

    Parameters
    ----------
    layout : Architecture
    samples : Dataset
    n_rows : int
    size : int, default=1
        Threads of the team.

    Returns
    -------
    n_elements, chunk_rows : int
    """
    cdef const Net *net = &layout.net
    cdef const Data *data = &samples.data
    cdef Py_ssize_t R = chunk_rows(
        net, data, size, elements_per_row(net, data, size), samples.itemsize
    )
    cdef Py_ssize_t n_chunks = max(1, (n_rows + R - 1) // R)
    R = max(1, (n_rows + n_chunks - 1) // n_chunks)
    return workspace_size(net, data, size, R), R


def needs_gradient(
    Architecture layout, UpdateRule update, Dataset samples, Py_ssize_t batch_size,
    Py_ssize_t chunk_rows,
):
    """Whether ``train`` needs memory for the gradient; else it uses each part at once."""
    cdef Run run
    run.data, run.rule, run.batch_size = &samples.data, update.rule, batch_size
    return not updates_without_gradient(&run, chunk_rows)


def train(
    Architecture layout, UpdateRule update, floating[::1] parameters, floating[::1] gradient,
    floating[:, ::1] state, Dataset samples, const Py_ssize_t[::1] order, Py_ssize_t batch_size,
    floating[::1] work, Team team=None, const double[::1] rates=None, double[:, ::1] scores=None,
):
    """Update the parameters from one mini-batch after another: an epoch, or a part of one.

    Parameters
    ----------
    layout : Architecture
    update : UpdateRule
        IN-OUT, counts the updates.
    parameters : ndarray of shape (n_parameters,)
        IN-OUT.
    gradient : ndarray of shape (n_parameters,) or None
        Memory for the gradient, where ``needs_gradient`` says so.
    state : ndarray of shape (n_states, n_parameters)
        IN-OUT, what the update rule carries on: the velocity, or Adam's moments.
    samples : Dataset
    order : ndarray of shape (n_rows,), intp, or None
        The samples to visit, in this order; None for all as they come.
    batch_size : int
    work : ndarray of shape (n_elements,)
        See ``workspace_elements``.
    team : Team, default=None
        Threads to share each step; None for the calling one alone.
    rates : ndarray of shape (n_batches,), default=None
        Learning rate of each update to come, beside the one in ``update``.
    scores : ndarray of shape (size of the team, n_outputs), default=None
        IN-OUT, to which each member adds what the training score is told from: for classes
        the weight of the rows that were classified rightly, in column 0; else the weighted
        sum of squared residuals of each output. Each row is told before its update.

    Returns
    -------
    loss : float
        Mean over the rows of the loss, penalty included, each mini-batch's before its
        update. A mini-batch whose weights sum to 0 is skipped and does not count.
    n_counted : int
        The rows that counted.
    """
    cdef Run run
    cdef double loss
    prepare(&run, layout, samples, order, parameters.shape[0], sizeof(floating), team)
    if not update.fits(run.net.n_layers):
        raise ValueError("There must be penalties for each layer")
    run.rule, run.batch_size = update.rule, batch_size
    run.first_update = update.rule.n_updates
    run.parameters, run.work = &parameters[0], &work[0]
    if gradient is not None:
        if gradient.shape[0] != run.net.n_parameters:
            raise ValueError("The gradient must have the size of the parameters")
        run.gradient = &gradient[0]
    if state.shape[0] != update.n_states or state.shape[1] != run.net.n_parameters:
        raise ValueError("The state does not fit the update rule and the parameters")
    if update.n_states:
        run.state = &state[0, 0]
    if rates is not None:
        if batch_size < 1 or rates.shape[0] * batch_size < run.batch.n:
            raise ValueError("There must be a rate for each mini-batch")
        run.rates = &rates[0] if run.batch.n > 0 else NULL
    if scores is not None:
        if scores.shape[0] != run.gate.size or scores.shape[1] != run.net.units[run.net.n_layers]:
            raise ValueError("There must be scores for each member and output")
        run.scores = &scores[0, 0]
    try:
        loss = train_together(&run, work.shape[0])
    finally:
        update.rule.n_updates = run.rule.n_updates
    return loss, run.n_counted


def loss_gradient(
    Architecture layout, UpdateRule update, const floating[::1] parameters, floating[::1] gradient,
    Dataset samples, floating[::1] work, Team team=None, floating[:, ::1] X_gradient=None,
):
    """gradient (n_parameters,) <- that of the loss over all samples, which is returned.

    The loss is sum_i w_i loss_i / W + alpha / 2 |weights|^2 / W, with W the sum of the w_i.

    Parameters
    ----------
    layout : Architecture
    update : UpdateRule
        Its rule is "gradient".
    parameters : ndarray of shape (n_parameters,)
    gradient : ndarray of shape (n_parameters,)
        OUT.
    samples : Dataset
    work : ndarray of shape (n_elements,)
        See ``workspace_elements``.
    team : Team, default=None
        Threads to share the work; None for the calling one alone.
    X_gradient : ndarray of shape (n_samples, n_features), default=None
        OUT, the gradient with respect to X.

    Returns
    -------
    loss : float

    Raises
    ------
    ValueError
        If nothing fits together, or if the sum of the weights is 0.
    """
    cdef Run run
    cdef double loss
    prepare(&run, layout, samples, None, parameters.shape[0], sizeof(floating), team)
    if gradient.shape[0] != run.net.n_parameters:
        raise ValueError("The gradient does not fit the layout")
    if update.rule.name != GRADIENT or not update.fits(run.net.n_layers):
        raise ValueError("The rule must be 'gradient', with penalties for each layer")
    run.rule, run.batch_size = update.rule, max(1, run.batch.n)
    # The rule leaves the parameters as they are.
    run.parameters, run.gradient, run.work = <void *>&parameters[0], &gradient[0], &work[0]
    if X_gradient is not None and run.batch.n > 0:
        if X_gradient.shape[0] != run.batch.n or X_gradient.shape[1] != run.net.units[0]:
            raise ValueError("The gradient of X must have its shape")
        run.X_gradient = &X_gradient[0, 0]
        run.X_scale = 1 / total_weight(run.data, run.batch)
    loss = train_together(&run, work.shape[0])
    if run.n_counted == 0:
        raise ValueError("The sample weights sum to 0.")
    return loss


def mean_loss(
    Architecture layout, Dataset samples, const Py_ssize_t[::1] order, floating[:, ::1] Z,
    floating[::1] work,
):
    """Mean loss of the samples, without penalty, from the output layer's pre-activations.

    Parameters
    ----------
    layout : Architecture
    samples : Dataset
    order : ndarray of shape (n_rows,), intp, or None
        The samples that Z belongs to, in this order; None for all as they come.
    Z : ndarray of shape (n_rows, n_outputs)
        OUT, it becomes the losses' gradient times the weights.
    work : ndarray of shape (n_rows * (n_outputs + 1),)

    Returns
    -------
    loss : float
    weight : float
        The sum of the samples' weights.
    """
    cdef Run run
    cdef Py_ssize_t n, k = layout.net.units[layout.net.n_layers]
    cdef floating *w = NULL
    cdef double loss, weight
    prepare(&run, layout, samples, order, layout.net.n_parameters, sizeof(floating), None)
    n = run.batch.n
    if n == 0 or Z.shape[0] != n or Z.shape[1] != k or work.shape[0] < n * (k + 1) or (
        run.data.n_outputs != k
    ):
        raise ValueError("The samples, Z, the workspace and the layout do not fit together")
    gather_smoothed_targets(run.net, run.data, run.batch, k, &work[0])
    if run.data.weights.buf != NULL:
        w = &work[n * k]
        gather_weights(run.data, run.batch, w)
    loss = output_delta(
        run.net.output, run.net.loss_parameter, &Z[0, 0], &work[0], w, n, k, NULL
    )
    weight = total_weight(run.data, run.batch)
    return (loss / weight if weight > 0 else NAN), weight


def apply_link(Architecture layout, floating[:, ::1] Z):
    """Z (n_rows, n_outputs) <- the network's outputs, from the pre-activations Z."""
    if Z.shape[1] != layout.net.units[layout.net.n_layers]:
        raise ValueError("Z does not fit the layout")
    if Z.shape[0] > 0:
        link(layout.net.output, &Z[0, 0], Z.shape[0], Z.shape[1])


def prediction_elements(Architecture layout, Dataset samples, Py_ssize_t n_rows, Py_ssize_t size=1):
    """Elements of the workspace for predicting ``n_rows``, and its chunks' rows.

    Every thread of the team has a chunk of its own.

    Parameters
    ----------
    layout : Architecture
    samples : Dataset
    n_rows : int
    size : int, default=1
        Threads of the team.

    Returns
    -------
    n_elements, chunk_rows : int
    """
    cdef const Net *net = &layout.net
    cdef const Data *data = &samples.data
    cdef Py_ssize_t R = chunk_rows(
        net, data, 1, prediction_elements_per_row(net, data), samples.itemsize
    )
    cdef Py_ssize_t rounds = max(1, (n_rows + R * size - 1) // (R * size))
    R = max(1, (n_rows + rounds * size - 1) // (rounds * size))
    return size * prediction_size(net, data, R), R


def predict(
    Architecture layout, const floating[::1] parameters, Dataset samples,
    const Py_ssize_t[::1] order, floating[:, ::1] out, bint linked, floating[::1] work,
    bint finite=True, Team team=None,
):
    """out (n_rows, n_outputs) <- the network's outputs for the samples.

    Parameters
    ----------
    layout : Architecture
    parameters : ndarray of shape (n_parameters,)
    samples : Dataset
    order : ndarray of shape (n_rows,), intp, or None
        The samples to predict, in this order; None for all as they come.
    out : ndarray of shape (n_rows, n_outputs)
        OUT.
    linked : bool
        Whether the output function (softmax, logistic, exp) is applied; else ``out`` gets
        the output layer's pre-activations.
    work : ndarray of shape (n_elements,)
        See ``prediction_elements``.
    finite : bool, default=True
        Whether X is known to be finite; else a dense X is looked at.
    team : Team, default=None
        Threads to share the rows; None for the calling one alone.

    Returns
    -------
    valid : bool
        Whether X, looked at, is finite, and all indices of a sparse X are valid; where not, the
        output is of no use.
    """
    cdef Run run
    cdef Py_ssize_t R
    prepare(&run, layout, samples, order, parameters.shape[0], sizeof(floating), team)
    R = prediction_rows_with_room(run.net, run.data, run.gate.size, work.shape[0])
    if R < 1:
        raise ValueError("The workspace has no room for one row")
    if out.shape[0] != run.batch.n or out.shape[1] != run.net.units[run.net.n_layers]:
        raise ValueError("The output does not fit the layout and the samples")
    if run.batch.n == 0:
        return True
    run.space = prediction_workspace(run.net, run.data, R)
    run.parameters, run.out, run.work = <void *>&parameters[0], &out[0, 0], &work[0]
    run.linked, run.look = linked, not finite
    with nogil:
        run_together(run.gate, outputs_job, &run)
    propagate(&run.poll)
    return is_set(&run.valid)
