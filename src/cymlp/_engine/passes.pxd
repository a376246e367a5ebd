"""The passes over one part of a chunk: forward, loss, backward; and a chunk of a prediction.

The letters are those of ``engine.pyx``.
"""
from cython cimport floating

from cymlp._engine.architecture cimport architecture_t, keeps_derivative
from cymlp._engine.dataset cimport (
    Batch, Range, dataset_t, dense_batch, gather_targets, gather_weights
)
from cymlp._engine.kernels.activations cimport (
    activate, activate_keeping_derivative, multiply_derivative
)
from cymlp._engine.kernels.dropout cimport drop_out, layer_key
from cymlp._engine.kernels.elements cimport add_parts, multiply, smooth
from cymlp._engine.kernels.gemm cimport VECTOR_BYTES, gemm
from cymlp._engine.kernels.losses cimport (
    OUTPUT_LOGISTIC, apply_output_activation, loss_and_delta
)
from cymlp._engine.kernels.reductions cimport are_finite
from cymlp._engine.run cimport Part, Run
from cymlp._engine.sparse cimport multiply_sparse
from cymlp._engine.team cimport put


cdef inline const floating *gather_inputs(
    const Run *run, Batch chunk, Range rows, Range columns, floating *work, Py_ssize_t *stride
) noexcept nogil:
    """These columns of a chunk's A_0; NULL where X is sparse.

    These rows of them are gathered now, unless X itself serves, as it lies.
    """
    if run.dataset.sparse:
        return NULL
    return dense_batch(
        run.dataset, chunk, rows, columns,
        work + run.space.X + run.space.R * columns.start, stride,
    )


cdef inline void partial_products(
    const Run *run, const Part *part, const floating *parameters
) noexcept nogil:
    """P (n, h) <- A_0 W_0 over the part's features alone, for all rows of the chunk."""
    cdef const architecture_t *architecture = run.architecture
    cdef Batch chunk = part.step.chunk
    cdef Range features = part.features
    cdef Py_ssize_t h = architecture.units[1], stride = 0
    cdef floating *work = <floating *>run.work
    cdef floating *P = work + run.space.P + part.rank * run.space.R * h
    cdef const floating *A = gather_inputs(run, chunk, Range(0, chunk.n), features, work, &stride)
    gemm(
        False, False, chunk.n, h, features.stop - features.start,
        <floating>1, A, stride, parameters + architecture.W[0] + features.start * h, h,
        <floating>0, P, h, P, h, <floating *>part.scratch,
    )


cdef inline void add_partial_products(
    const Run *run, const Part *part, const floating *parameters
) noexcept nogil:
    """A_1 (n, h) <- f(b_0 + the sum of all parts' P)."""
    cdef Py_ssize_t h = run.architecture.units[1]
    cdef floating *Z = <floating *>part.work + part.row * h
    add_parts(
        <floating *>run.work + run.space.P + part.row * h, run.barrier.size, run.space.R * h,
        parameters + run.architecture.b[0], part.batch.n, h, Z,
    )
    if run.architecture.n_layers > 1:
        activate_hidden(run, part, 0, Z)


cdef inline void activate_hidden(
    const Run *run, const Part *part, Py_ssize_t layer, floating *Z
) noexcept nogil:
    """A (n, h) <- f(Z) in place; in training with dropout, and F (n, h) where it is needed."""
    cdef const architecture_t *architecture = run.architecture
    cdef Py_ssize_t n = part.batch.n, h = architecture.units[layer + 1]
    cdef floating *F
    if part.step == NULL or not keeps_derivative(architecture, layer):
        activate(architecture.activation[layer], Z, n * h)
        return
    F = <floating *>part.work + (
        run.space.F + run.space.R * architecture.A[layer + 1] + part.row * h
    )
    activate_keeping_derivative(architecture.activation[layer], Z, F, n * h)
    if architecture.dropout[layer] > 0:
        drop_out(
            Z, F, n, h, architecture.dropout[layer],
            layer_key(run.seed, part.step.rule.n_updates, layer),
            part.batch.first - part.step.batch.first,
        )


cdef inline void forward(
    Run *run, const Part *part, const floating *X, Py_ssize_t stride, const floating *parameters
) noexcept nogil:
    """A_{l+1} (n, h) <- f(A_l W_l + b_l) for the hidden layers, Z (n, k) <- A W + b for the last.

    X (n, d), with rows ``stride`` apart, is A_0, or NULL where it is sparse. With partial products
    the first layer is done already.
    """
    cdef const architecture_t *architecture = run.architecture
    cdef Py_ssize_t R = run.space.R, n_layers = architecture.n_layers, layer, d, h
    cdef floating *work = <floating *>part.work
    cdef const floating *A
    cdef const floating *W
    cdef const floating *b
    cdef floating *Z
    for layer in range(<Py_ssize_t>run.space.by_features, n_layers):
        d, h = architecture.units[layer], architecture.units[layer + 1]
        W, b = parameters + architecture.W[layer], parameters + architecture.b[layer]
        A = X if layer == 0 else work + R * architecture.A[layer] + part.row * d
        Z = work + R * architecture.A[layer + 1] + part.row * h
        if layer + 1 == n_layers:
            Z = <floating *>part.Z
        if A != NULL:
            gemm(
                False, False, part.batch.n, h, d,
                <floating>1, A, stride if layer == 0 else d, W, h,
                <floating>1, b, 0, Z, h, <floating *>part.scratch,
            )
        elif not multiply_sparse(run.dataset, part.batch, W, b, h, Z, run.checks_finite):
            put(&run.valid, False)
        if layer + 1 < n_layers:
            activate_hidden(run, part, layer, Z)


cdef inline void gather_smoothed_targets(
    const architecture_t *architecture, const dataset_t *dataset, Batch batch, floating *T
) noexcept nogil:
    """T (n, k) <- the batch's targets, those of classes smoothed."""
    cdef Py_ssize_t k = architecture.units[architecture.n_layers]
    cdef double smoothing = architecture.label_smoothing
    gather_targets(dataset, batch, k, T)
    if smoothing > 0:
        smooth(
            T, batch.n * k, <floating>smoothing,
            <floating>(smoothing / (2 if architecture.output_activation == OUTPUT_LOGISTIC else k)),
        )


cdef inline double output_loss(const Run *run, const Part *part, floating *Z) noexcept nogil:
    """Z (n, k) <- D of the output layer; return sum_i w_i loss_i."""
    cdef const architecture_t *architecture = run.architecture
    cdef Py_ssize_t k = architecture.units[architecture.n_layers]
    cdef floating *T = <floating *>part.work + run.space.T + part.row * k
    cdef floating *w = <floating *>part.work + run.space.w + part.row
    gather_smoothed_targets(architecture, run.dataset, part.batch, T)
    gather_weights(run.dataset, part.batch, w)
    return loss_and_delta(
        architecture.output_activation, architecture.loss, architecture.loss_parameter, Z, T,
        NULL if run.dataset.weights.buf == NULL else w, part.batch.n, k,
        NULL if run.scores == NULL else run.scores + part.rank * k,
    )


cdef inline Py_ssize_t deltas_at(const Run *run, Py_ssize_t layer) noexcept nogil:
    """Where this layer's D begins in the workspace; the output layer's takes its A's place."""
    cdef Py_ssize_t outputs = run.space.R * run.architecture.A[layer + 1]
    return outputs if layer + 1 == run.architecture.n_layers else run.space.D + outputs


cdef inline void backward(
    const Run *run, const Part *part, const floating *parameters
) noexcept nogil:
    """D_{l-1} (n, d) <- (D_l W_l^T) * f'(Z_{l-1}) from the output layer's D to the first."""
    cdef const architecture_t *architecture = run.architecture
    cdef Py_ssize_t n = part.batch.n, layer, d, h, outputs_at
    cdef floating *work = <floating *>part.work
    cdef floating *D
    cdef floating *D_below
    for layer in range(architecture.n_layers - 1, 0, -1):
        d, h = architecture.units[layer], architecture.units[layer + 1]
        D = work + deltas_at(run, layer) + part.row * h
        D_below = work + deltas_at(run, layer - 1) + part.row * d
        gemm(
            False, True, n, d, h,
            <floating>1, D, h, parameters + architecture.W[layer], h,
            <floating>0, D_below, d, D_below, d, <floating *>part.scratch,
        )
        outputs_at = run.space.R * architecture.A[layer] + part.row * d
        if keeps_derivative(architecture, layer - 1):
            multiply(D_below, work + run.space.F + outputs_at, n * d)
        else:
            multiply_derivative(
                architecture.activation[layer - 1], work + outputs_at, D_below, n * d
            )


cdef inline void input_gradient(
    const Run *run, const Part *part, const floating *parameters
) noexcept nogil:
    """The part's rows of dloss/dX (n, d) <- X_scale D_0 W_0^T."""
    cdef const architecture_t *architecture = run.architecture
    cdef Py_ssize_t d = architecture.units[0], h = architecture.units[1], start = 0, columns
    cdef const floating *D = <floating *>part.work + deltas_at(run, 0) + part.row * h
    cdef floating *out
    while start < d:
        # As many columns at a time as the scratch memory is made for.
        columns = min(architecture.widest + VECTOR_BYTES, d - start)
        out = <floating *>run.X_gradient + part.batch.first * d + start
        gemm(
            False, True, part.batch.n, columns, h,
            <floating>run.X_scale, D, h, parameters + start * h, h,
            <floating>0, out, d, out, d, <floating *>part.scratch,
        )
        start += columns


cdef inline double forward_backward(
    Run *run, const Part *part, const floating *parameters
) noexcept nogil:
    """Forward and backward pass of the part's rows; return sum_i w_i loss_i of them."""
    cdef Py_ssize_t stride = 0
    cdef Range rows = Range(part.row, part.row + part.batch.n)
    cdef const floating *X = NULL
    cdef double loss
    if run.space.by_features:
        add_partial_products(run, part, parameters)
    else:
        X = gather_inputs(
            run, part.step.chunk, rows, part.features, <floating *>part.work, &stride
        )
        if X != NULL:
            X += part.row * stride
    forward(run, part, X, stride, parameters)
    loss = output_loss(run, part, <floating *>part.Z)
    backward(run, part, parameters)
    if run.X_gradient != NULL:
        input_gradient(run, part, parameters)
    return loss


cdef inline void predict_chunk(
    Run *run, const Part *part, const floating *parameters
) noexcept nogil:
    """Z (n, k) <- the network's outputs for the part's rows."""
    cdef const architecture_t *architecture = run.architecture
    cdef Py_ssize_t n = part.batch.n, stride = 0
    cdef const floating *X = gather_inputs(
        run, part.batch, Range(0, n), part.features, <floating *>part.work, &stride
    )
    # The check also brings the chunk into the cache, in order.
    if run.checks_finite and X != NULL and not are_finite(X, n, architecture.units[0], stride):
        put(&run.valid, False)
    forward(run, part, X, stride, parameters)
    if run.applies_output_activation:
        apply_output_activation(
            architecture.output_activation, <floating *>part.Z, n,
            architecture.units[architecture.n_layers],
        )
