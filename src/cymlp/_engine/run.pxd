"""A run of the engine: what the threads of a team share, and what each has for itself."""
from cymlp._engine.architecture cimport WEIGHTS, ParameterBlock, architecture_t
from cymlp._engine.dataset cimport Batch, Range, dataset_t, slice_batch
from cymlp._engine.kernels.update_rules cimport GRADIENT, SGD, rule_t
from cymlp._engine.signals cimport Poll
from cymlp._engine.sparse_space cimport sparse_t
from cymlp._engine.team cimport MOST_THREADS, Barrier, flag, wait
from cymlp._engine.workspace cimport LINE, workspace_t

cdef enum:
    MOST_ROWS_IN_BLOCK = 128   # gradients of longer mini-batches are made in one piece

# Where the gradient of a block of parameters is made.
cdef enum GradientPlace:
    IN_PARAMETERS   # in the parameters, by W <- keep W - rate A^T D, which is the update
    IN_BLOCK        # in scratch memory, some rows at a time; each piece is used at once
    IN_BUFFER       # in memory for all of it; the update follows when it is complete


cdef struct Run:
    const architecture_t *architecture
    const dataset_t *dataset
    Py_ssize_t itemsize       # of the parameters and of all else that is void here
    void *parameters
    workspace_t space
    void *work
    Barrier *barrier          # of the team
    Batch batch               # the samples to visit
    # Training.
    Py_ssize_t batch_size
    Py_ssize_t start          # samples before this one are done,
    Py_ssize_t n_counted      # and so many of them counted, as some mini-batches are skipped
    rule_t rule               # as it is at the start
    long long first_update    # n_updates of the rule before the run
    const double *rates       # learning rates of the updates to come, or NULL for the rule's
    unsigned long long seed   # of dropout
    GradientPlace gradient_place
    void *gradient            # where it is IN_BUFFER
    sparse_t sparse           # of the first layer's weights, where X is sparse
    void *state               # of the rule
    double *scores            # of each part, (n_outputs,) as add_scores has it; or NULL
    void *X_gradient          # dloss/dX (n_samples, n_features), or NULL
    double X_scale            # what it is multiplied by
    # Prediction.
    void *out
    bint applies_output_activation
    bint checks_finite
    # What the threads tell each other.
    Poll poll                 # for signals, by thread 0,
    flag stopped              # which sets this after one,
    flag serial               # and this when it goes on without the others
    flag valid                # whether X, as far as checked, is finite and its indices are right
    # Of each part.
    double loss[MOST_THREADS]
    double squares[MOST_THREADS]   # |W|^2 of its weights, times the layer's share of alpha,
    double sizes[MOST_THREADS]     # and |W|_1 times the L1 coefficient, where there is a penalty
    double norms[MOST_THREADS]     # of its gradient, where that is clipped


cdef struct Step:
    # An update by one mini-batch, as one thread has it.
    rule_t rule               # with the update's learning rate, and counting it
    Batch batch               # the mini-batch
    double weight             # sum of its rows' weights
    Batch chunk               # the rows of it that the workspace holds now
    bint is_first, is_last    # whether this is the first, or the last, of the chunks


cdef struct Part:
    # One thread's share of a chunk.
    Py_ssize_t rank
    const Step *step          # NULL in a prediction
    Batch batch               # its rows
    Py_ssize_t row            # where they begin in the chunk
    Range features            # its columns of A_0: all, unless that is shared out by features
    void *work                # where the chunk's A, D and F lie
    void *scratch             # its own memory
    void *Z                   # (n, k) for the output layer's pre-activations


cdef inline Range partition(
    Py_ssize_t total, Py_ssize_t rank, Py_ssize_t size, Py_ssize_t unit
) noexcept nogil:
    """Part ``rank`` of ``size``, of ``total`` things that are divided by whole ``unit``s."""
    cdef Range part = Range(0, total)
    cdef Py_ssize_t units
    if size == 1:
        return part
    units = (total + unit - 1) // unit
    part.start = min(total, units * rank // size * unit)
    part.stop = min(total, units * (rank + 1) // size * unit)
    return part


cdef inline bint is_sparse(const Run *run, const ParameterBlock *block) noexcept nogil:
    """Whether these are weights that a sparse X is multiplied with."""
    return run.dataset.sparse and block.layer == 0 and block.kind == WEIGHTS


cdef inline Range first_rows(
    const Run *run, const ParameterBlock *block, Py_ssize_t rank
) noexcept nogil:
    """A part's rows of a block, or where these are dealt out to the parts its first ones."""
    cdef Py_ssize_t group
    if not is_sparse(run, block):
        return partition(block.rows, rank, run.barrier.size, LINE)
    group = <Py_ssize_t>1 << run.sparse.shift
    return Range(rank * group, min(block.rows, (rank + 1) * group))


cdef inline Range next_rows(const Run *run, const ParameterBlock *block, Range rows) noexcept nogil:
    """The part's rows of the block after these; they begin at its end if there are none."""
    cdef Py_ssize_t group
    if not is_sparse(run, block):
        return Range(block.rows, block.rows)
    group = <Py_ssize_t>1 << run.sparse.shift
    rows.start += run.barrier.size * group
    return Range(rows.start, min(block.rows, rows.start + group))


cdef inline Range elements_of(const ParameterBlock *block, Range rows) noexcept nogil:
    """The elements of some of a block's rows, in the vector of parameters."""
    return Range(
        block.offset + rows.start * block.columns, block.offset + rows.stop * block.columns
    )


cdef inline Part training_part(const Run *run, const Step *step, Py_ssize_t rank) noexcept nogil:
    """A thread's share of the chunk that is trained on."""
    cdef Part part
    cdef const workspace_t *space = &run.space
    cdef const architecture_t *architecture = run.architecture
    cdef Py_ssize_t n_layers = architecture.n_layers, size = run.barrier.size
    cdef Range rows = partition(step.chunk.n, rank, size, 1)
    part.rank, part.step = rank, step
    part.batch = slice_batch(step.chunk, rows.start, rows.stop - rows.start)
    part.row = rows.start
    part.features = Range(0, architecture.units[0])
    if space.by_features:
        part.features = partition(architecture.units[0], rank, size, LINE)
    part.work = run.work
    part.scratch = <char *>run.work + run.itemsize * (space.scratch + rank * space.scratch_size)
    part.Z = <char *>run.work + run.itemsize * (
        space.R * architecture.A[n_layers] + rows.start * architecture.units[n_layers]
    )
    return part


cdef inline Part prediction_part(const Run *run, Py_ssize_t rank, Py_ssize_t start) noexcept nogil:
    """A thread's chunk of a prediction, whose rows begin at ``start``."""
    cdef Part part
    cdef const architecture_t *architecture = run.architecture
    part.rank, part.step = rank, NULL
    part.batch = slice_batch(run.batch, start, run.space.R)
    part.row = 0
    part.features = Range(0, architecture.units[0])
    part.work = <char *>run.work + run.itemsize * rank * run.space.scratch_size
    part.scratch = <char *>part.work + run.itemsize * run.space.scratch
    part.Z = <char *>run.out + run.itemsize * start * architecture.units[architecture.n_layers]
    return part


cdef inline bint clips(const rule_t *rule) noexcept nogil:
    """Whether the update has to wait until the norm of the whole gradient is known."""
    return rule.clip_norm > 0 and rule.name != GRADIENT


cdef inline bint needs_whole_gradient(
    const rule_t *rule, Py_ssize_t batch_size, Py_ssize_t R
) noexcept nogil:
    """Whether gradients have to be complete before they are used, R being the rows of a chunk."""
    return clips(rule) or rule.name == GRADIENT or batch_size > R


cdef inline GradientPlace gradient_place(
    const rule_t *rule, Py_ssize_t batch_size, Py_ssize_t R
) noexcept nogil:
    """Where gradients are made with as little memory as possible, a sparse X's weights aside."""
    if needs_whole_gradient(rule, batch_size, R):
        return IN_BUFFER
    if rule.name == SGD:
        return IN_PARAMETERS
    return IN_BUFFER if batch_size > MOST_ROWS_IN_BLOCK else IN_BLOCK


cdef inline void wait_for_others(Run *run, Range parts) noexcept nogil:
    """Wait until the other threads have done this phase's parts too, if there are any."""
    cdef double waited
    if parts.stop - parts.start < run.barrier.size:
        waited = wait(run.barrier)
        if parts.start == 0:
            run.barrier.waited += waited
