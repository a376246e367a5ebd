"""The engine: training and predictions of a multi-layer perceptron.

Letters, everywhere in this folder:

====  ============================================================================
n     rows of a batch
d, h  units going into a layer and out of it
A     (n, d) a layer's inputs: rows of X at layer 0, the outputs of layer l - 1 after
W, b  (d, h) weights and (h,) intercepts of a layer
Z     (n, h) pre-activations A W + b
F     (n, h) derivatives dA/dZ of a hidden layer, kept only where A does not give them
D     (n, h) deltas dloss/dZ of a layer, each row times its sample weight
T, w  (n, k) targets and (n,) weights of the rows
====  ============================================================================

All parameters are one vector, every W and then every b; Architecture knows where each begins,
Dataset where X lies, the workspace where all that lies between them. A batch is worked through
in chunks of at most R rows, so that its intermediate results stay small, whatever its size.

A team of threads makes a step together, in three phases that divide the work differently::

    partial_products   by features   gather columns of X; products with these rows of W_0
    forward_backward   by rows       forward pass, loss, deltas back to the first layer
    update             by features   the gradient of these rows of every W, and their update

The threads wait for each other after the first and the second, so that each reads what the others
have written; where the gradient's norm is clipped, also between gradient and update. A thread's
rows of W_0, its columns of X and its part of Adam's moments are touched by it alone and stay in
its cache. Where X is sparse or has few features there are no partial products, and rows of X
are gathered at the beginning of the passes. One thread is a team too, and waits for nobody.
Nothing is allocated inside a run, and below a ``def`` nothing needs the GIL, except the poll for
signals.

``run.pxd`` has what the threads share, ``passes.pxd`` the mathematics of a part of a batch,
``update.pxd`` that of a part of the parameters, ``step.pxd`` the loop over mini-batches.
"""
from cython cimport floating
from libc.math cimport NAN
from libc.string cimport memset

from cymlp._engine.architecture cimport Architecture, architecture_t
from cymlp._engine.dataset cimport Dataset, Range, dataset_t, gather_weights, total_weight
from cymlp._engine.kernels.gemm cimport ANY_FLOPS, MOST_FLOPS
from cymlp._engine.kernels.losses cimport apply_output_activation, loss_and_delta
from cymlp._engine.kernels.reductions cimport are_finite
from cymlp._engine.kernels.update_rules cimport GRADIENT
from cymlp._engine.passes cimport gather_smoothed_targets, predict_chunk
from cymlp._engine.run cimport IN_BUFFER, Part, Run, gradient_place, prediction_part
from cymlp._engine.signals cimport interrupted, propagate, seconds
from cymlp._engine.step cimport train_batches
from cymlp._engine.team cimport Team, is_set, put, run_together
from cymlp._engine.update_rule cimport UpdateRule
from cymlp._engine.workspace cimport (
    chunk_rows, elements_per_row, prediction_elements_per_row, prediction_rows_with_room,
    prediction_size, prediction_workspace, rows_with_room, workspace, workspace_size
)

# Whether this build leaves large products to BLAS.
USES_BLAS = MOST_FLOPS < ANY_FLOPS

cdef Team ONE_THREAD = Team(1)


cdef int prepare(
    Run *run, Architecture architecture, Dataset dataset, const Py_ssize_t[::1] order,
    Py_ssize_t n_parameters, Py_ssize_t itemsize, Team team,
) except -1:
    """Fill in what a run of any kind needs, once all is known to fit together."""
    cdef Py_ssize_t i
    memset(run, 0, sizeof(Run))
    run.architecture, run.dataset = &architecture.fields, &dataset.fields
    run.itemsize = itemsize
    run.barrier = &ONE_THREAD.barrier if team is None else &team.barrier
    if n_parameters != run.architecture.n_parameters or (
        run.dataset.n_features != run.architecture.units[0]
    ):
        raise ValueError("The dataset, the parameters and the architecture do not fit together")
    if dataset.itemsize != itemsize:
        raise TypeError("The dataset and the parameters must have one dtype")
    run.poll.asked = seconds()
    put(&run.valid, True)
    run.batch.n = run.dataset.n_samples
    if order is not None:
        run.batch.n = order.shape[0]
        run.batch.rows = &order[0] if run.batch.n > 0 else NULL
        for i in range(run.batch.n):
            if not 0 <= order[i] < run.dataset.n_samples:
                raise IndexError(f"order[{i}] is {order[i]}, of {run.dataset.n_samples} samples")
    return 0


cdef double train_together(Run *run, Py_ssize_t n_work) except? -1:
    """Run the steps of all threads; return the loss, a mean over the rows that counted."""
    cdef double loss = 0
    cdef Py_ssize_t rank, size = run.barrier.size
    cdef Py_ssize_t R = rows_with_room(run.architecture, run.dataset, size, n_work)
    if R < 1:
        raise ValueError("The workspace has no room for one row")
    if run.dataset.n_outputs != run.architecture.units[run.architecture.n_layers] or (
        run.batch_size < 1
    ):
        raise ValueError("The targets do not fit the architecture, or a mini-batch has no rows")
    run.space = workspace(run.architecture, run.dataset, size, R)
    run.gradient_place = IN_BUFFER
    if run.gradient == NULL:
        run.gradient_place = gradient_place(&run.rule, run.dataset, run.batch_size, R)
        if run.gradient_place == IN_BUFFER:
            raise ValueError("Such an update of such a mini-batch needs memory for the gradient")
    with nogil:
        while run.start < run.batch.n and not is_set(&run.stopped):
            put(&run.serial, False)
            run_together(run.barrier, train_batches, run)
    propagate(&run.poll)
    if not is_set(&run.valid):
        raise ValueError("The indices of the sparse matrix X changed while it was trained on.")
    for rank in range(size):
        loss += run.loss[rank]
    return loss / max(run.n_counted, <Py_ssize_t>1)


cdef void predict_chunks(void *arguments, Range parts) noexcept nogil:
    """A thread's chunks of a prediction: every so many-th of all."""
    cdef Run *run = <Run *>arguments
    cdef Py_ssize_t rank, start
    cdef Part part
    for rank in range(parts.start, parts.stop):
        start = rank * run.space.R
        while start < run.batch.n and not is_set(&run.stopped):
            part = prediction_part(run, rank, start)
            if run.itemsize == sizeof(float):
                predict_chunk(run, &part, <float *>run.parameters)
            else:
                predict_chunk(run, &part, <double *>run.parameters)
            if parts.start == 0:
                put(&run.stopped, interrupted(&run.poll))
            start += run.barrier.size * run.space.R


def is_finite(const floating[:, ::1] X):
    """Whether X (n, d) has neither NaN nor infinity."""
    cdef bint finite
    if X.shape[0] == 0 or X.shape[1] == 0:
        return True
    with nogil:
        finite = are_finite(&X[0, 0], 1, X.shape[0] * X.shape[1], 0)
    return finite


def workspace_elements(Architecture architecture, Dataset dataset, Py_ssize_t n_rows, Py_ssize_t size=1):
    """Elements of the workspace for training on batches of ``n_rows``, and its chunks' rows.

    Chunks keep what a thread works on in its cache, bound the memory to some megabytes, and
    the time between two polls for signals.

    Parameters
    ----------
    architecture : Architecture
    dataset : Dataset
    n_rows : int
    size : int, default=1
        Threads of the team.

    Returns
    -------
    n_elements, chunk_rows : int
    """
    cdef Py_ssize_t R = chunk_rows(
        &architecture.fields, &dataset.fields, size,
        elements_per_row(&architecture.fields, &dataset.fields, size), dataset.itemsize,
    )
    cdef Py_ssize_t n_chunks = max(1, (n_rows + R - 1) // R)
    R = max(1, (n_rows + n_chunks - 1) // n_chunks)
    return workspace_size(&architecture.fields, &dataset.fields, size, R), R


def needs_gradient(
    Architecture architecture, UpdateRule rule, Dataset dataset, Py_ssize_t batch_size,
    Py_ssize_t chunk_rows,
):
    """Whether ``train`` needs memory for the gradient; else it uses each part at once."""
    return IN_BUFFER == gradient_place(&rule.fields, &dataset.fields, batch_size, chunk_rows)


def train(
    Architecture architecture, UpdateRule rule, floating[::1] parameters, floating[::1] gradient,
    floating[:, ::1] state, Dataset dataset, const Py_ssize_t[::1] order, Py_ssize_t batch_size,
    floating[::1] work, Team team=None, const double[::1] rates=None, double[:, ::1] scores=None,
):
    """Update the parameters from one mini-batch after another: an epoch, or a part of one.

    Parameters
    ----------
    architecture : Architecture
    rule : UpdateRule
        IN-OUT, counts the updates.
    parameters : ndarray of shape (n_parameters,)
        IN-OUT.
    gradient : ndarray of shape (n_parameters,) or None
        Memory for the gradient, where ``needs_gradient`` says so.
    state : ndarray of shape (n_states, n_parameters)
        IN-OUT, what the update rule carries on: the velocity, or Adam's moments.
    dataset : Dataset
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
    prepare(&run, architecture, dataset, order, parameters.shape[0], sizeof(floating), team)
    if not rule.fits(run.architecture.n_layers):
        raise ValueError("There must be penalties for each layer")
    run.rule, run.batch_size = rule.fields, batch_size
    run.seed = rule.seed
    run.first_update = rule.fields.n_updates
    run.parameters, run.work = &parameters[0], &work[0]
    if gradient is not None:
        if gradient.shape[0] != run.architecture.n_parameters:
            raise ValueError("The gradient must have the size of the parameters")
        run.gradient = &gradient[0]
    if state.shape[0] != rule.n_states or state.shape[1] != run.architecture.n_parameters:
        raise ValueError("The state does not fit the update rule and the parameters")
    if rule.n_states:
        run.state = &state[0, 0]
    if rates is not None:
        if batch_size < 1 or rates.shape[0] * batch_size < run.batch.n:
            raise ValueError("There must be a rate for each mini-batch")
        run.rates = &rates[0] if run.batch.n > 0 else NULL
    if scores is not None:
        if scores.shape[0] != run.barrier.size or scores.shape[1] != run.dataset.n_outputs:
            raise ValueError("There must be scores for each member and output")
        run.scores = &scores[0, 0]
    try:
        loss = train_together(&run, work.shape[0])
    finally:
        rule.fields.n_updates = run.rule.n_updates
    return loss, run.n_counted


def loss_gradient(
    Architecture architecture, UpdateRule rule, const floating[::1] parameters, floating[::1] gradient,
    Dataset dataset, floating[::1] work, Team team=None, floating[:, ::1] X_gradient=None,
):
    """gradient (n_parameters,) <- that of the loss over all samples, which is returned.

    The loss is sum_i w_i loss_i / W + alpha / 2 |weights|^2 / W, with W the sum of the w_i.

    Parameters
    ----------
    architecture : Architecture
    rule : UpdateRule
        Its rule is "gradient".
    parameters : ndarray of shape (n_parameters,)
    gradient : ndarray of shape (n_parameters,)
        OUT.
    dataset : Dataset
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
    prepare(&run, architecture, dataset, None, parameters.shape[0], sizeof(floating), team)
    if gradient.shape[0] != run.architecture.n_parameters:
        raise ValueError("The gradient does not fit the architecture")
    if rule.fields.name != GRADIENT or not rule.fits(run.architecture.n_layers):
        raise ValueError("The rule must be 'gradient', with penalties for each layer")
    run.rule, run.batch_size = rule.fields, max(1, run.batch.n)
    # The rule leaves the parameters as they are.
    run.parameters, run.gradient, run.work = <void *>&parameters[0], &gradient[0], &work[0]
    if X_gradient is not None and run.batch.n > 0:
        if X_gradient.shape[0] != run.batch.n or X_gradient.shape[1] != run.architecture.units[0]:
            raise ValueError("The gradient of X must have its shape")
        run.X_gradient = &X_gradient[0, 0]
        run.X_scale = 1 / total_weight(run.dataset, run.batch)
    loss = train_together(&run, work.shape[0])
    if run.n_counted == 0:
        raise ValueError("The sample weights sum to 0.")
    return loss


def mean_loss(
    Architecture architecture, Dataset dataset, const Py_ssize_t[::1] order, floating[:, ::1] Z,
    floating[::1] work,
):
    """Mean loss of the samples, without penalty, from the output layer's pre-activations.

    Parameters
    ----------
    architecture : Architecture
    dataset : Dataset
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
    cdef Py_ssize_t n, k = architecture.fields.units[architecture.fields.n_layers]
    cdef floating *w = NULL
    cdef double loss, weight
    prepare(&run, architecture, dataset, order, architecture.fields.n_parameters, sizeof(floating), None)
    n = run.batch.n
    if n == 0 or Z.shape[0] != n or Z.shape[1] != k or work.shape[0] < n * (k + 1) or (
        run.dataset.n_outputs != k
    ):
        raise ValueError("The samples, Z, the workspace and the architecture do not fit together")
    gather_smoothed_targets(run.architecture, run.dataset, run.batch, &work[0])
    if run.dataset.weights.buf != NULL:
        w = &work[n * k]
        gather_weights(run.dataset, run.batch, w)
    loss = loss_and_delta(
        run.architecture.output, run.architecture.loss_parameter, &Z[0, 0], &work[0], w, n, k, NULL
    )
    weight = total_weight(run.dataset, run.batch)
    return (loss / weight if weight > 0 else NAN), weight


def apply_link(Architecture architecture, floating[:, ::1] Z):
    """Z (n_rows, n_outputs) <- the network's outputs, from the pre-activations Z."""
    if Z.shape[1] != architecture.fields.units[architecture.fields.n_layers]:
        raise ValueError("Z does not fit the architecture")
    if Z.shape[0] > 0:
        apply_output_activation(architecture.fields.output, &Z[0, 0], Z.shape[0], Z.shape[1])


def prediction_elements(Architecture architecture, Dataset dataset, Py_ssize_t n_rows, Py_ssize_t size=1):
    """Elements of the workspace for predicting ``n_rows``, and its chunks' rows.

    Every thread of the team has a chunk of its own.

    Parameters
    ----------
    architecture : Architecture
    dataset : Dataset
    n_rows : int
    size : int, default=1
        Threads of the team.

    Returns
    -------
    n_elements, chunk_rows : int
    """
    cdef Py_ssize_t R = chunk_rows(
        &architecture.fields, &dataset.fields, 1, prediction_elements_per_row(&architecture.fields, &dataset.fields), dataset.itemsize
    )
    cdef Py_ssize_t rounds = max(1, (n_rows + R * size - 1) // (R * size))
    R = max(1, (n_rows + rounds * size - 1) // (rounds * size))
    return size * prediction_size(&architecture.fields, &dataset.fields, R), R


def predict(
    Architecture architecture, const floating[::1] parameters, Dataset dataset,
    const Py_ssize_t[::1] order, floating[:, ::1] out, bint linked, floating[::1] work,
    bint finite=True, Team team=None,
):
    """out (n_rows, n_outputs) <- the network's outputs for the samples.

    Parameters
    ----------
    architecture : Architecture
    parameters : ndarray of shape (n_parameters,)
    dataset : Dataset
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
    prepare(&run, architecture, dataset, order, parameters.shape[0], sizeof(floating), team)
    R = prediction_rows_with_room(run.architecture, run.dataset, run.barrier.size, work.shape[0])
    if R < 1:
        raise ValueError("The workspace has no room for one row")
    if out.shape[0] != run.batch.n or out.shape[1] != run.architecture.units[run.architecture.n_layers]:
        raise ValueError("The output does not fit the architecture and the samples")
    if run.batch.n == 0:
        return True
    run.space = prediction_workspace(run.architecture, run.dataset, R)
    run.parameters, run.out, run.work = <void *>&parameters[0], &out[0, 0], &work[0]
    run.applies_output_activation, run.checks_finite = linked, not finite
    with nogil:
        run_together(run.barrier, predict_chunks, &run)
    propagate(&run.poll)
    return is_set(&run.valid)
