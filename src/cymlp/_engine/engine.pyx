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
Dataset where X lies, Workspace where all that lies between them. A batch is worked through
in chunks of at most R rows, so that its intermediate results stay small, whatever its size.

A team of threads makes a step together, in three phases that divide the work differently::

    partial_products   by features   gather columns of X; products with these rows of W_0
    forward_backward   by rows       forward pass, loss, deltas back to the first layer
    update             by features   the gradient of these rows of every W, and their update

The threads wait for each other after the first and the second, so that each reads what the others
have written; where the gradient's norm is clipped, also between gradient and update. A thread's
rows of W_0, its columns of X and its part of Adam's moments are touched by it alone and stay in
its cache. Where X is sparse or has few features there are no partial products, and rows of X
are gathered at the beginning of the passes; entries of a sparse X are sorted by features before
them, see ``sparse_update.pxd``. One thread is a team too, and waits for nobody.
Nothing is allocated inside a run, and below a ``def`` nothing needs the GIL, except the poll for
signals.

``run.pxd`` has what the threads share, ``passes.pxd`` the mathematics of a part of a batch,
``update.pxd`` that of a part of the parameters, ``step.pxd`` the loop over mini-batches.
"""
from cython cimport floating
from libc.math cimport NAN
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from cymlp._engine.architecture cimport Architecture
from cymlp._engine.dataset cimport (
    Batch, Dataset, Range, gather_weights, is_finite_in, sample_of, slice_batch, total_weight
)
from cymlp._engine.kernels cimport losses
from cymlp._engine.kernels.conversion cimport may_be_infinite
from cymlp._engine.kernels.gemm cimport ANY_FLOPS, MOST_FLOPS
from cymlp._engine.kernels.update_rules cimport GRADIENT
from cymlp._engine.passes cimport gather_smoothed_targets, predict_chunk
from cymlp._engine.run cimport (
    IN_BUFFER, GradientPlace, Part, Run, gradient_place, needs_whole_gradient, partition,
    prediction_part, wait_for_others
)
from cymlp._engine.signals cimport interrupted, propagate, seconds
from cymlp._engine.sparse cimport PlacesOfEntries, entries_of
from cymlp._engine.sparse_space cimport WAITING, SparseSpace
from cymlp._engine.step cimport finish_parts, train_batches
from cymlp._engine.team cimport Team, hand_out, is_set, put
from cymlp._engine.update_rule cimport UpdateRule
from cymlp._engine.workspace cimport prediction_space, training_space, workspace_t

from cymlp._engine.memory import aligned_empty

# Whether this build leaves large products to BLAS.
USES_BLAS = MOST_FLOPS < ANY_FLOPS

cdef enum:
    CACHE_LINE = 64   # bytes
    MOST_CONVERTED = 1024   # numbers at once, where only their finiteness is of interest

cdef Team ONE_THREAD = Team(1)


cdef class Workspace:
    """Memory for training, and how the work is divided; allocated once, used in every call.

    It serves all datasets like the one that it was made for: dense or sparse, of the same dtype and
    number of features, with any number of samples.

    Chunks of a mini-batch keep what a thread works on in its cache, bound the memory to some
    megabytes, and the time between two polls for signals.

    Parameters
    ----------
    architecture : Architecture
    dataset : Dataset
    rule : UpdateRule, default=None
        The one to train by; None for ``loss_gradient``.
    batch_size : int, default=None
        Rows of a mini-batch; None for all samples.
    team : Team, default=None
        Threads that share each step; None for the calling one alone.
    most_chunk_rows : int, default=None
        Bounds the rows of a chunk further, for tests.

    Attributes
    ----------
    n_bytes : int
        Size of the memory, without the gradient's.
    chunk_rows : int
        Rows of a chunk.
    has_gradient : bool
        Whether there is memory for the whole gradient; else each part of it is used at once.

    Raises
    ------
    ValueError
        If a mini-batch or a chunk has no rows, or the architecture and the dataset do not fit
        together.
    MemoryError
        If there is not enough memory.
    """

    cdef readonly Architecture architecture
    cdef readonly UpdateRule rule
    cdef readonly Team team
    cdef readonly Py_ssize_t batch_size, itemsize
    cdef readonly bint is_sparse
    cdef workspace_t space
    cdef GradientPlace gradient_place
    cdef unsigned char[::1] memory, gradient
    cdef SparseSpace sparse

    def __init__(
        self, Architecture architecture not None, Dataset dataset not None, UpdateRule rule=None,
        batch_size=None, Team team=None, *, most_chunk_rows=None,
    ):
        self.architecture, self.rule = architecture, rule
        self.is_sparse, self.itemsize = dataset.fields.sparse, dataset.itemsize
        self.team = ONE_THREAD if team is None else team
        self.batch_size = max(1, dataset.n_samples) if batch_size is None else batch_size
        if most_chunk_rows is None:
            most_chunk_rows = self.batch_size
        if dataset.n_features != architecture.fields.units[0] or (
            self.batch_size < 1 or most_chunk_rows < 1
        ):
            raise ValueError(
                "The dataset and the architecture do not fit together, or a mini-batch or a chunk "
                "has no rows"
            )
        self.space = training_space(
            &architecture.fields, &dataset.fields, self.team.barrier.size, self.batch_size,
            dataset.itemsize, most_chunk_rows, rule is not None,
        )
        self.memory = aligned_empty(self.space.size * dataset.itemsize, "u1")
        self.gradient = None
        self.gradient_place = IN_BUFFER
        if rule is not None:
            self.gradient_place = gradient_place(&rule.fields, self.batch_size, self.space.R)
            if self.gradient_place == IN_BUFFER:
                self.gradient = aligned_empty(
                    architecture.fields.n_parameters * dataset.itemsize, "u1"
                )
        if dataset.fields.sparse:
            self.sparse = SparseSpace(
                architecture, rule,
                rule is None or needs_whole_gradient(
                    &rule.fields, self.batch_size, self.space.R
                ),
                self.team.barrier.size, dataset.itemsize,
            )

    @property
    def n_bytes(self):
        """Size of the memory, without the gradient's."""
        return self.memory.shape[0]

    @property
    def chunk_rows(self):
        """Rows of a chunk."""
        return self.space.R

    @property
    def has_gradient(self):
        """Whether there is memory for the whole gradient."""
        return self.gradient is not None


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


cdef Py_ssize_t most_entries(const Run *run) noexcept:
    """The entries of a sparse X in a part of a chunk, at most."""
    cdef Py_ssize_t most = 0, start = 0, chunk_start, rank, i, n
    cdef Batch batch, chunk
    cdef Range rows
    cdef PlacesOfEntries places
    while start < run.batch.n:
        batch = slice_batch(run.batch, start, run.batch_size)
        for chunk_start in range(0, batch.n, run.space.R):
            chunk = slice_batch(batch, chunk_start, run.space.R)
            for rank in range(run.barrier.size):
                rows = partition(chunk.n, rank, run.barrier.size, 1)
                n = 0
                for i in range(rows.start, rows.stop):
                    places = entries_of(run.dataset, sample_of(chunk, i))
                    n += places.stop - places.start
                most = max(most, n)
        start += run.batch_size
    return most


cdef int prepare_training(
    Run *run, Architecture architecture, Dataset dataset, UpdateRule rule, Workspace workspace
) except -1:
    """Fill in what training needs, beside what ``prepare`` has, from a workspace that fits."""
    if (
        workspace.architecture is not architecture or workspace.rule is not rule
        or workspace.is_sparse != run.dataset.sparse or workspace.itemsize != run.itemsize
    ):
        raise ValueError(
            "The workspace was made for another architecture, another rule or other data"
        )
    if run.architecture.loss == losses.NO_LOSS or (
        run.dataset.n_outputs != run.architecture.units[run.architecture.n_layers]
    ):
        raise ValueError("The architecture has no loss, or the targets do not fit it")
    run.batch_size, run.space = workspace.batch_size, workspace.space
    run.work = &workspace.memory[0]
    run.gradient_place = workspace.gradient_place
    if run.dataset.sparse:
        workspace.sparse.make_room(most_entries(run))
        run.sparse = workspace.sparse.fields
    if workspace.gradient is not None:
        run.gradient = &workspace.gradient[0]
    return 0


cdef double train_together(Run *run) except? -1:
    """Run the steps of all threads; return the loss, a mean over the rows that counted."""
    cdef double loss = 0
    cdef Py_ssize_t rank
    cdef Range parts
    with nogil:
        while run.start < run.batch.n and not is_set(&run.stopped):
            put(&run.serial, False)
            parts = hand_out(run.barrier, train_batches, run)
            train_batches(run, parts)
            wait_for_others(run, parts)
        if run.dataset.sparse and run.sparse.idle == WAITING:
            parts = hand_out(run.barrier, finish_parts, run)
            finish_parts(run, parts)
            wait_for_others(run, parts)
    propagate(&run.poll)
    if not is_set(&run.valid):
        raise ValueError("The indices of the sparse matrix X changed while it was trained on.")
    for rank in range(run.barrier.size):
        loss += run.loss[rank]
    return loss / max(run.n_counted, <Py_ssize_t>1)


def train(
    Architecture architecture not None, floating[::1] parameters not None,
    floating[:, ::1] state not None, UpdateRule rule not None, Dataset dataset not None,
    Workspace workspace not None, const Py_ssize_t[::1] order=None,
    const double[::1] rates=None, double[:, ::1] scores=None, unsigned long long seed=0,
):
    """Update the parameters from one mini-batch after another: an epoch, or a part of one.

    Parameters
    ----------
    architecture : Architecture
    parameters : ndarray of shape (n_parameters,)
        IN-OUT.
    state : ndarray of shape (n_states, n_parameters)
        IN-OUT, what the update rule carries on: the velocity, or Adam's moments.
    rule : UpdateRule
        IN-OUT, counts the updates.
    dataset : Dataset
    workspace : Workspace
        Made for the same architecture and rule, and for such a dataset; its team shares each step.
    order : ndarray of shape (n_rows,), intp, default=None
        The samples to visit, in this order; None for all as they come.
    rates : ndarray of shape (n_batches,), default=None
        Learning rate of each update to come, in place of the one in ``rule``.
    scores : ndarray of shape (size of the team, n_outputs), default=None
        IN-OUT, to which each thread adds what the training score is computed from: for classes
        the weight of the rows that were classified correctly, in column 0; else the weighted
        sum of squared residuals of each output. Each row counts as it was before its update.
    seed : int, default=0
        Of dropout.

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
    prepare(
        &run, architecture, dataset, order, parameters.shape[0], sizeof(floating), workspace.team
    )
    prepare_training(&run, architecture, dataset, rule, workspace)
    run.parameters, run.seed = &parameters[0], seed
    run.rule, run.first_update = rule.fields, rule.fields.n_updates
    if gradient_place(&rule.fields, run.batch_size, run.space.R) != run.gradient_place:
        raise ValueError("The rule has changed since the workspace was made")
    if state.shape[0] != rule.n_states or state.shape[1] != run.architecture.n_parameters:
        raise ValueError("The state does not fit the update rule and the parameters")
    if rule.n_states:
        run.state = &state[0, 0]
    if rates is not None:
        if rates.shape[0] * run.batch_size < run.batch.n:
            raise ValueError("There must be a rate for each mini-batch")
        run.rates = &rates[0] if run.batch.n > 0 else NULL
    if scores is not None:
        if scores.shape[0] != run.barrier.size or scores.shape[1] != run.dataset.n_outputs:
            raise ValueError("There must be scores for each thread and output")
        run.scores = &scores[0, 0]
    try:
        loss = train_together(&run)
    finally:
        rule.fields.n_updates = run.rule.n_updates
    return loss, run.n_counted


def loss_gradient(
    Architecture architecture not None, const floating[::1] parameters not None,
    floating[::1] gradient not None, Dataset dataset not None, Workspace workspace not None,
    floating[:, ::1] X_gradient=None,
):
    """gradient (n_parameters,) <- that of the loss over all samples, which is returned.

    The loss is (sum_i w_i loss_i + sum_l l2_l / 2 |W_l|^2) / sum_i w_i.

    Parameters
    ----------
    architecture : Architecture
    parameters : ndarray of shape (n_parameters,)
    gradient : ndarray of shape (n_parameters,)
        OUT.
    dataset : Dataset
    workspace : Workspace
        Made for the same architecture and such a dataset, for no rule and for all samples; its
        team shares the work.
    X_gradient : ndarray of shape (n_samples, n_features), default=None
        OUT, the gradient with respect to X.

    Returns
    -------
    loss : float

    Raises
    ------
    ValueError
        If something does not fit together, or if the sum of the weights is 0.
    """
    cdef Run run
    cdef double loss
    prepare(
        &run, architecture, dataset, None, parameters.shape[0], sizeof(floating), workspace.team
    )
    prepare_training(&run, architecture, dataset, None, workspace)
    if gradient.shape[0] != run.architecture.n_parameters:
        raise ValueError("The gradient does not fit the architecture")
    if run.batch_size < run.batch.n:
        raise ValueError("The workspace must be for all samples at once")
    run.rule.name = GRADIENT
    # The rule leaves the parameters as they are.
    run.parameters, run.gradient = <void *>&parameters[0], &gradient[0]
    if X_gradient is not None and run.batch.n > 0:
        if X_gradient.shape[0] != run.batch.n or (
            X_gradient.shape[1] != run.architecture.units[0]
        ):
            raise ValueError("The gradient of X must have its shape")
        run.X_gradient = &X_gradient[0, 0]
        run.X_scale = 1 / total_weight(run.dataset, run.batch)
    loss = train_together(&run)
    if run.n_counted == 0:
        raise ValueError("The sample weights sum to 0.")
    return loss


cdef void predict_chunks(void *arguments, Range parts) noexcept nogil:
    """A thread's chunks of a prediction: every ``size``-th of them, ``size`` threads in all."""
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


def predict(
    Architecture architecture not None, const floating[::1] parameters not None,
    Dataset dataset not None, floating[:, ::1] out not None, const Py_ssize_t[::1] order=None,
    bint apply_output_activation=True, bint check_finite=False, Team team=None,
):
    """out (n_rows, n_outputs) <- the network's outputs for the samples.

    Parameters
    ----------
    architecture : Architecture
    parameters : ndarray of shape (n_parameters,)
    dataset : Dataset
    out : ndarray of shape (n_rows, n_outputs)
        OUT.
    order : ndarray of shape (n_rows,), intp, default=None
        The samples to predict, in this order; None for all as they come.
    apply_output_activation : bool, default=True
        Whether to apply the output activation; else ``out`` gets the output layer's
        pre-activations.
    check_finite : bool, default=False
        Whether to check that X is finite, as the network's numbers.
    team : Team, default=None
        Threads to share the rows; None for the calling one alone.

    Returns
    -------
    valid : bool
        Whether X, if checked, is finite, and all indices of a sparse X are valid; where not, the
        output is of no use.

    Raises
    ------
    ValueError, TypeError
        If something does not fit together.
    MemoryError
        If there is not enough memory.
    """
    cdef Run run
    cdef Range parts
    cdef void *memory
    prepare(&run, architecture, dataset, order, parameters.shape[0], sizeof(floating), team)
    if out.shape[0] != run.batch.n or (
        out.shape[1] != run.architecture.units[run.architecture.n_layers]
    ):
        raise ValueError("The output does not fit the architecture and the samples")
    if run.batch.n == 0:
        return True
    run.space = prediction_space(
        run.architecture, run.dataset, run.barrier.size, run.batch.n, run.itemsize
    )
    memory = malloc(run.space.size * run.itemsize + CACHE_LINE)
    if memory == NULL:
        raise MemoryError
    run.work = <char *>memory + (-<Py_ssize_t>memory & (CACHE_LINE - 1))
    run.parameters, run.out = <void *>&parameters[0], &out[0, 0]
    run.applies_output_activation = apply_output_activation
    run.checks_finite = check_finite and may_be_infinite(run.dataset.number)
    with nogil:
        parts = hand_out(run.barrier, predict_chunks, &run)
        predict_chunks(&run, parts)
        wait_for_others(&run, parts)
        free(memory)
    propagate(&run.poll)
    return is_set(&run.valid)


def mean_loss(
    Architecture architecture not None, Dataset dataset not None, const Py_ssize_t[::1] order,
    floating[:, ::1] Z not None,
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

    Returns
    -------
    loss : float
    weight : float
        The sum of the samples' weights.
    """
    cdef Run run
    cdef Py_ssize_t n, k = architecture.fields.units[architecture.fields.n_layers]
    cdef floating *T
    cdef floating *w
    cdef double loss, weight
    prepare(
        &run, architecture, dataset, order, architecture.fields.n_parameters, sizeof(floating), None
    )
    n = run.batch.n
    if n == 0 or Z.shape[0] != n or Z.shape[1] != k or run.dataset.n_outputs != k or (
        run.architecture.loss == losses.NO_LOSS
    ):
        raise ValueError("The dataset, Z and the architecture do not fit together")
    T = <floating *>malloc(n * (k + 1) * sizeof(floating))
    if T == NULL:
        raise MemoryError
    w = T + n * k
    gather_smoothed_targets(run.architecture, run.dataset, run.batch, T)
    gather_weights(run.dataset, run.batch, w)
    loss = losses.loss_and_delta(
        run.architecture.output_activation, run.architecture.loss,
        run.architecture.loss_parameter, &Z[0, 0], T,
        NULL if run.dataset.weights.buf == NULL else w, n, k, NULL,
    )
    free(T)
    weight = total_weight(run.dataset, run.batch)
    return (loss / weight if weight > 0 else NAN), weight


def apply_output_activation(Architecture architecture not None, floating[:, ::1] Z not None):
    """Z (n_rows, n_outputs) <- the network's outputs, from the pre-activations Z."""
    if Z.shape[1] != architecture.fields.units[architecture.fields.n_layers]:
        raise ValueError("Z does not fit the architecture")
    if Z.shape[0] > 0:
        losses.apply_output_activation(
            architecture.fields.output_activation, &Z[0, 0], Z.shape[0], Z.shape[1]
        )


def is_finite(X not None, dtype=None):
    """Whether X (n, d) has neither NaN nor infinity, also once it is converted to ``dtype``.

    X and ``dtype`` are those of a dense ``Dataset``. Nothing is copied.
    """
    cdef Dataset dataset = Dataset(X, dtype=dtype)
    cdef float[MOST_CONVERTED] floats
    cdef double[MOST_CONVERTED] doubles
    cdef bint finite
    if not may_be_infinite(dataset.fields.number):
        return True
    with nogil:
        if dataset.fields.itemsize == sizeof(float):
            finite = is_finite_in(&dataset.fields, floats, MOST_CONVERTED)
        else:
            finite = is_finite_in(&dataset.fields, doubles, MOST_CONVERTED)
    return finite
