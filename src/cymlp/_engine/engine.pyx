"""The engine: forward pass, backward pass and update of a multi-layer perceptron.

Letters, everywhere in this folder:

====  ============================================================================
n     rows of a batch
d, h  units going into a layer and out of it
A     (n, d) a layer's inputs: rows of X at layer 0, the outputs of layer l - 1 after
W, b  (d, h) weights and (h,) intercepts of a layer
Z     (n, h) pre-activations A W + b
D     (n, h) deltas dloss/dZ of a layer, each row times its sample weight
T, w  (n, k) targets and (n,) weights of the rows
====  ============================================================================

All parameters are one vector, every W and then every b; Layout knows where each begins,
Samples where X lies. A batch is worked through in chunks of at most R rows, so that its
intermediate results stay small, whatever its size. The workspace, allocated by the caller
once per fit, holds, R rows each unless said otherwise::

    A_1 ... A_L  |  D, D'  |  T  |  w  |  column sums (widest,)  |  A_0

The output layer's A_L becomes its D in place; hidden layers' deltas alternate between D
and D'. Nothing is allocated inside a run, and below a ``def`` nothing needs the GIL, save
the poll for signals.
"""
from cython cimport floating

from cymlp._engine.blas cimport gemm
from cymlp._engine.kernels cimport (
    activate, add_bias, add_scaled, column_sums, link, multiply_derivative, output_delta, scale,
    squared_norm
)
from cymlp._engine.layout cimport Layout
from cymlp._engine.samples cimport (
    Samples, csr_product, csr_transposed_product, dense_batch, gather_targets, gather_weights,
    total_weight
)
from cymlp._engine.signals cimport Poll, interrupted, propagate, seconds
from cymlp._engine.updates cimport Update, apply

cdef Py_ssize_t CHUNK_BYTES = 6_000_000   # a workspace's size, unless 32 rows need more
cdef Py_ssize_t MIN_CHUNK_ROWS = 32
cdef double CHUNK_SPARSE_PRODUCTS = 5e7   # of an entry of X with a weight, in a chunk


cdef struct Batch:
    # n rows of the samples: rows[0:n], or, where rows is NULL, those from first on.
    const Py_ssize_t *rows
    Py_ssize_t first
    Py_ssize_t n


cdef inline Batch part(Batch batch, Py_ssize_t start, Py_ssize_t most) noexcept nogil:
    """Rows start to start + most of the batch, or as many as there are."""
    if batch.rows != NULL:
        batch.rows += start
    batch.first += start
    batch.n = min(most, batch.n - start)
    return batch


cdef const floating *forward(
    Layout net, const floating *parameters, Samples samples, Batch batch,
    floating *work, Py_ssize_t R, floating *Z_out, Py_ssize_t *stride, Poll *poll,
) noexcept nogil:
    """A_{l+1} (n, h) <- f(A_l W_l + b_l) for every hidden layer; Z_out (n, k) for the last.

    Return A_0, whose rows are ``stride`` elements apart, or NULL where X is sparse.
    """
    cdef Py_ssize_t layer, d, h
    cdef const floating *X = NULL
    cdef const floating *A
    cdef floating *Z
    if not samples.sparse:
        X = dense_batch(
            samples, batch.rows, batch.first, batch.n, work + workspace_size(net, R), stride
        )
    A = X
    for layer in range(net.n_layers):
        if interrupted(poll):
            break
        d, h = net.units[layer], net.units[layer + 1]
        Z = Z_out if layer + 1 == net.n_layers else work + R * net.A[layer + 1]
        if A == NULL:
            multiply_sparse(samples, batch, parameters + net.W[layer], h, Z)
        else:
            gemm(
                False, False, batch.n, h, d,
                <floating>1, A, stride[0] if layer == 0 else d, parameters + net.W[layer], h,
                <floating>0, Z, h,
            )
        add_bias(Z, parameters + net.b[layer], batch.n, h)
        if layer + 1 < net.n_layers:
            activate(net.activation, Z, batch.n * h)
        A = Z
    return X


cdef void backward(
    Layout net, const floating *parameters, Samples samples, Batch batch,
    const floating *X, Py_ssize_t stride, floating *work, Py_ssize_t R,
    floating *out, floating step, floating keep_W, floating keep_b, Poll *poll,
) noexcept nogil:
    """out <- keep * out + step * gradient, from the output layer's deltas in A_L.

    The gradient of W_l (d, h) is A_l^T D_l and that of b_l (h,) the sum of D_l's rows;
    D_{l-1} (n, d) = (D_l W_l^T) * f'(Z_{l-1}). With a gradient's memory as ``out`` this is
    the gradient; with the parameters themselves it is gradient descent in place, each W_l
    having served the layer below before it changes.
    """
    cdef Py_ssize_t layer, d, h
    cdef floating *D = work + R * net.A[net.n_layers]
    cdef floating *D_below = work + R * net.n_units
    cdef floating *D_other = D_below + R * net.widest
    cdef floating *sums = work + workspace_size(net, R) - net.widest
    cdef const floating *A
    for layer in range(net.n_layers - 1, -1, -1):
        if interrupted(poll):
            break
        d, h = net.units[layer], net.units[layer + 1]
        A = X if layer == 0 else work + R * net.A[layer]
        if layer > 0:
            gemm(
                False, True, batch.n, d, h,
                <floating>1, D, h, parameters + net.W[layer], h, <floating>0, D_below, d,
            )
        if A == NULL:
            scale(out + net.W[layer], d * h, keep_W)
            multiply_sparse_transposed(samples, batch, step, D, h, out + net.W[layer])
        else:
            gemm(
                True, False, d, h, batch.n,
                step, A, stride if layer == 0 else d, D, h, keep_W, out + net.W[layer], h,
            )
        column_sums(D, batch.n, h, sums)
        scale(out + net.b[layer], h, keep_b)
        add_scaled(out + net.b[layer], step, sums, h)
        if layer > 0:
            multiply_derivative(net.activation, A, D_below, batch.n * d)
            D, D_below, D_other = D_below, D_other, D_below


cdef double accumulate(
    Layout net, const floating *parameters, Samples samples, Batch batch,
    floating *work, Py_ssize_t R, floating *out, floating step, floating keep_W, floating keep_b,
    Poll *poll,
) noexcept nogil:
    """out <- keep * out + step * gradient of the batch's sum_i w_i loss_i, which it returns."""
    cdef Py_ssize_t start = 0, stride = 0, k = net.units[net.n_layers]
    cdef floating *Z = work + R * net.A[net.n_layers]
    cdef floating *T = work + R * (net.n_units + 2 * net.widest)
    cdef floating *w = T + R * k
    cdef double loss = 0
    cdef const floating *X
    cdef Batch rows
    while start < batch.n:
        rows = part(batch, start, R)
        X = forward(net, parameters, samples, rows, work, R, Z, &stride, poll)
        gather_targets(samples, rows.rows, rows.first, rows.n, k, T)
        gather_weights(samples, rows.rows, rows.first, rows.n, w)
        loss += output_delta(
            net.output, Z, T, NULL if samples.weights.buf == NULL else w, rows.n, k
        )
        backward(
            net, parameters, samples, rows, X, stride, work, R, out, step, keep_W, keep_b, poll
        )
        if interrupted(poll):
            break
        keep_W = keep_b = 1
        start += R
    return loss


cdef double penalty(Layout net, const floating *parameters, double alpha) noexcept nogil:
    """alpha / 2 |W|^2 over the weights of all layers."""
    return 0.5 * alpha * squared_norm(parameters, net.n_weights) if alpha > 0 else 0


cdef double step(
    Layout net, Update update, floating *parameters, floating *gradient, floating *state,
    Samples samples, Batch batch, double weight, floating *work, Py_ssize_t R, Poll *poll,
) noexcept nogil:
    """One update from one mini-batch of total weight ``weight``; return its loss before.

    Without a gradient's memory the update is plain gradient descent in place:
    W <- (1 - rate alpha / weight) W - (rate / weight) A^T D. Such a step is not
    interrupted half-way; any other is, before it touches the parameters.
    """
    cdef double loss = penalty(net, parameters, update.alpha)
    cdef double shrink = update.alpha / weight
    cdef Py_ssize_t size = net.n_parameters
    if gradient == NULL:
        loss += accumulate(
            net, parameters, samples, batch, work, R, parameters,
            <floating>(-update.learning_rate / weight),
            <floating>(1 - update.learning_rate * shrink), <floating>1, NULL,
        )
    else:
        loss += accumulate(
            net, parameters, samples, batch, work, R, gradient,
            <floating>(1 / weight), <floating>0, <floating>0, poll,
        )
        if interrupted(poll):
            return 0
    update.n_updates += 1
    if gradient != NULL:
        apply(update, parameters, gradient, state, size, 0, net.n_weights, shrink)
        apply(update, parameters, gradient, state, size, net.n_weights, size, 0)
    return loss / weight


cdef inline void multiply_sparse(
    Samples samples, Batch batch, const floating *W, Py_ssize_t h, floating *Z
) noexcept nogil:
    """Z (n, h) <- X W for the batch's rows of a CSR matrix, by the type of its indices."""
    if samples.indices.itemsize == sizeof(int):
        csr_product(
            samples, <const int *>samples.indices.buf, <const int *>samples.indptr.buf,
            batch.rows, batch.first, batch.n, W, h, Z,
        )
    else:
        csr_product(
            samples, <const long long *>samples.indices.buf,
            <const long long *>samples.indptr.buf,
            batch.rows, batch.first, batch.n, W, h, Z,
        )


cdef inline void multiply_sparse_transposed(
    Samples samples, Batch batch, floating step, const floating *D, Py_ssize_t h, floating *G
) noexcept nogil:
    """G (d, h) <- G + step X^T D for the batch's rows of a CSR matrix."""
    if samples.indices.itemsize == sizeof(int):
        csr_transposed_product(
            samples, <const int *>samples.indices.buf, <const int *>samples.indptr.buf,
            batch.rows, batch.first, batch.n, step, D, h, G,
        )
    else:
        csr_transposed_product(
            samples, <const long long *>samples.indices.buf,
            <const long long *>samples.indptr.buf,
            batch.rows, batch.first, batch.n, step, D, h, G,
        )


cdef inline Py_ssize_t workspace_size(Layout net, Py_ssize_t R) noexcept nogil:
    """Elements of a workspace for chunks of R rows, before A_0."""
    cdef Py_ssize_t k = net.units[net.n_layers]
    return R * (net.n_units + 2 * net.widest + k + 1) + net.widest


cdef Py_ssize_t elements_per_row(Layout net, Samples samples) noexcept nogil:
    """Elements of a workspace for each row of a chunk, A_0 included where X is dense."""
    return workspace_size(net, 1) - net.widest + (0 if samples.sparse else samples.n_features)


cdef Py_ssize_t check(
    Layout net, Samples samples, Py_ssize_t n_parameters, Py_ssize_t n_work, Py_ssize_t itemsize
) except -1:
    """The rows R of a chunk that the workspace has room for, once everything fits together."""
    cdef Py_ssize_t R = (n_work - net.widest) // elements_per_row(net, samples)
    if n_parameters != net.n_parameters or samples.n_features != net.units[0]:
        raise ValueError("The samples, the parameters and the layout do not fit together")
    if samples.itemsize != itemsize:
        raise TypeError("The samples and the parameters must have one dtype")
    if R < 1:
        raise ValueError("The workspace has no room for one row")
    return R


cdef Batch batch_of(Samples samples, const Py_ssize_t[::1] order) except *:
    """The samples that ``order`` lists, or all of them as they come where it is None."""
    cdef Batch batch
    cdef Py_ssize_t i
    batch.rows, batch.first, batch.n = NULL, 0, samples.n_samples
    if order is not None:
        batch.n = order.shape[0]
        batch.rows = &order[0] if batch.n > 0 else NULL
        for i in range(batch.n):
            if not 0 <= order[i] < samples.n_samples:
                raise IndexError(f"order[{i}] is {order[i]}, of {samples.n_samples} samples")
    return batch


def workspace_elements(Layout net, Samples samples, Py_ssize_t n_rows):
    """Elements of the workspace for a batch of ``n_rows``, and the rows of its chunks.

    Chunks bound the workspace to some megabytes and the time between two polls for signals.

    Returns
    -------
    n_elements, chunk_rows : int
    """
    cdef Py_ssize_t per_row = elements_per_row(net, samples)
    cdef Py_ssize_t R = max(MIN_CHUNK_ROWS, CHUNK_BYTES // (per_row * samples.itemsize))
    cdef double entries
    if samples.sparse:
        entries = samples.indices.shape[0] / max(1, samples.n_samples)
        R = min(R, <Py_ssize_t>(CHUNK_SPARSE_PRODUCTS / (1 + entries * net.units[1])))
    R = max(1, min(R, n_rows))
    return R * per_row + net.widest, R


def train(
    Layout net, Update update, floating[::1] parameters, floating[::1] gradient,
    floating[:, ::1] state, Samples samples, const Py_ssize_t[::1] order, Py_ssize_t batch_size,
    floating[::1] work,
):
    """Update the parameters from one mini-batch after another: an epoch, or a part of one.

    Parameters
    ----------
    net : Layout
    update : Update
        IN-OUT, counts the updates.
    parameters : ndarray of shape (n_parameters,)
        IN-OUT.
    gradient : ndarray of shape (n_parameters,) or None
        Memory for the gradient; None makes plain SGD work in place, for batches that fit
        into one chunk.
    state : ndarray of shape (n_states, n_parameters)
        IN-OUT, what the update rule carries on: the velocity, or Adam's moments.
    samples : Samples
    order : ndarray of shape (n_rows,), intp, or None
        The samples to visit, in this order; None for all as they come.
    batch_size : int
    work : ndarray of shape (n_elements,)
        See ``workspace_elements``.

    Returns
    -------
    loss : float
        Mean over the rows of the loss, penalty included, each mini-batch's before its
        update. A mini-batch whose weights sum to 0 is skipped and does not count.
    """
    cdef Py_ssize_t R = check(net, samples, parameters.shape[0], work.shape[0], sizeof(floating))
    cdef Batch batch = batch_of(samples, order), rows
    cdef Py_ssize_t start = 0, counted = 0
    cdef double loss = 0, weight
    cdef floating *g = NULL
    cdef floating *s = NULL
    cdef Poll poll = Poll(seconds(), False)
    if gradient is not None:
        if gradient.shape[0] != net.n_parameters:
            raise ValueError("The gradient must have the size of the parameters")
        g = &gradient[0]
    elif update.n_states > 0 or batch_size > R:
        raise ValueError("Only plain SGD on batches of one chunk works without a gradient")
    if state.shape[0] != update.n_states or state.shape[1] != net.n_parameters:
        raise ValueError("The state does not fit the update rule and the parameters")
    if update.n_states:
        s = &state[0, 0]
    if samples.n_outputs != net.units[net.n_layers] or batch_size < 1:
        raise ValueError("The targets do not fit the layout, or a mini-batch has no rows")
    with nogil:
        while start < batch.n and not interrupted(&poll):
            rows = part(batch, start, batch_size)
            weight = total_weight(samples, rows.rows, rows.first, rows.n)
            if weight > 0:
                loss += rows.n * step(
                    net, update, &parameters[0], g, s, samples, rows, weight, &work[0], R, &poll
                )
                counted += rows.n
            start += batch_size
    propagate(&poll)
    return loss / max(counted, 1)


def loss_gradient(
    Layout net, const floating[::1] parameters, floating[::1] gradient, Samples samples,
    double alpha, floating[::1] work,
):
    """gradient (n_parameters,) <- that of the loss over all samples, which is returned.

    The loss is sum_i w_i loss_i / W + alpha / 2 |weights|^2 / W, with W the sum of the w_i.

    Parameters
    ----------
    net : Layout
    parameters : ndarray of shape (n_parameters,)
    gradient : ndarray of shape (n_parameters,)
        OUT.
    samples : Samples
    alpha : float
        L2 coefficient.
    work : ndarray of shape (n_elements,)
        See ``workspace_elements``.

    Returns
    -------
    loss : float
    """
    cdef Py_ssize_t R = check(net, samples, parameters.shape[0], work.shape[0], sizeof(floating))
    cdef Batch batch = batch_of(samples, None)
    cdef double loss, weight
    cdef Poll poll = Poll(seconds(), False)
    if gradient.shape[0] != net.n_parameters or samples.n_outputs != net.units[net.n_layers]:
        raise ValueError("The gradient or the targets do not fit the layout")
    with nogil:
        weight = total_weight(samples, NULL, 0, samples.n_samples)
        loss = penalty(net, &parameters[0], alpha) + accumulate(
            net, &parameters[0], samples, batch, &work[0], R, &gradient[0],
            <floating>(1 / weight), <floating>0, <floating>0, &poll,
        )
        add_scaled(&gradient[0], <floating>(alpha / weight), &parameters[0], net.n_weights)
    propagate(&poll)
    return loss / weight


def predict(
    Layout net, const floating[::1] parameters, Samples samples, const Py_ssize_t[::1] order,
    floating[:, ::1] out, bint linked, floating[::1] work,
):
    """out (n_rows, n_outputs) <- the network's outputs for the samples.

    Parameters
    ----------
    net : Layout
    parameters : ndarray of shape (n_parameters,)
    samples : Samples
    order : ndarray of shape (n_rows,), intp, or None
        The samples to predict, in this order; None for all as they come.
    out : ndarray of shape (n_rows, n_outputs)
        OUT.
    linked : bool
        Whether the output function (softmax, logistic, exp) is applied; else ``out`` gets
        the output layer's pre-activations.
    work : ndarray of shape (n_elements,)
        See ``workspace_elements``.
    """
    cdef Py_ssize_t R = check(net, samples, parameters.shape[0], work.shape[0], sizeof(floating))
    cdef Py_ssize_t k = net.units[net.n_layers], start = 0, stride = 0
    cdef Batch batch = batch_of(samples, order), rows
    cdef Poll poll = Poll(seconds(), False)
    if out.shape[0] != batch.n or out.shape[1] != k:
        raise ValueError("The output does not fit the layout and the samples")
    with nogil:
        while start < batch.n and not interrupted(&poll):
            rows = part(batch, start, R)
            forward(
                net, &parameters[0], samples, rows, &work[0], R, &out[start, 0], &stride, &poll
            )
            if linked:
                link(net.output, &out[start, 0], rows.n, k)
            start += R
    propagate(&poll)
