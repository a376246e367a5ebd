"""A step: all parts of one update; and the loop over mini-batches, which a team runs together."""
from cython cimport floating

from cymlp._engine.dataset cimport Range, slice_batch, total_weight
from cymlp._engine.kernels.subnormals cimport flush_subnormals, restore_subnormals
from cymlp._engine.kernels.update_rules cimport begin_update
from cymlp._engine.passes cimport forward_backward, partial_products
from cymlp._engine.run cimport Part, Run, Step, clips, training_part, wait_for_others
from cymlp._engine.signals cimport interrupted
from cymlp._engine.sparse_space cimport WAITING
from cymlp._engine.sparse_update cimport (
    begin_waiting, find_features, finish_waiting, sort_entries
)
from cymlp._engine.team cimport is_set, put, tries_team_again, waits_too_much
from cymlp._engine.update cimport sum_penalties, update, update_clipped


cdef inline bint make_step(Run *run, Step *step, Range *parts, floating *parameters) noexcept nogil:
    """A thread's parts of one update; they become all parts where thread 0 goes serial.

    Return whether the thread is to go on: not after a signal, which leaves the parameters
    untouched, nor if another goes on serially.
    """
    cdef Py_ssize_t R = run.space.R, n = step.batch.n, start = 0, rank
    cdef double factor = n / step.weight
    cdef Part part
    for rank in range(parts.start, parts.stop):
        run.loss[rank] += factor * 0.5 * run.architecture.alpha * run.squares[rank]
        run.loss[rank] += factor * run.sizes[rank]
    while start < n:
        step.chunk = slice_batch(step.batch, start, R)
        step.is_first, step.is_last = start == 0, start + R >= n
        if parts.start == 0:
            put(&run.stopped, interrupted(&run.poll))
            put(&run.serial, is_set(&run.serial) or waits_too_much(run.barrier))
        for rank in range(parts.start, parts.stop):
            part = training_part(run, step, rank)
            if run.space.by_features:
                partial_products(run, &part, parameters)
            elif run.dataset.sparse:
                sort_entries(run, &part, parameters)
        wait_for_others(run, parts[0])
        # Neither flag changes until the threads have waited again; but if thread 0 goes serial, a
        # late one may see either set or not: it returns in any case.
        if is_set(&run.stopped):
            return False
        if is_set(&run.serial):
            if parts.start > 0:
                return False
            parts.stop = run.barrier.size
        if run.dataset.sparse:
            for rank in range(parts.start, parts.stop):
                find_features(run, step, rank, parameters)
            wait_for_others(run, parts[0])
        for rank in range(parts.start, parts.stop):
            part = training_part(run, step, rank)
            run.loss[rank] += factor * forward_backward(run, &part, parameters)
        wait_for_others(run, parts[0])
        for rank in range(parts.start, parts.stop):
            part = training_part(run, step, rank)
            update(run, &part, parameters)
        if run.dataset.sparse:
            # The next chunk's entries will lie where these are.
            wait_for_others(run, parts[0])
        start += R
    if clips(&step.rule):
        wait_for_others(run, parts[0])
        for rank in range(parts.start, parts.stop):
            part = training_part(run, step, rank)
            update_clipped(run, &part, parameters)
    return True


cdef inline void begin_part(Run *run, Py_ssize_t rank, const floating *parameters) noexcept nogil:
    """What an update needs to know of the parameters before it."""
    sum_penalties(run, rank, parameters)
    if run.dataset.sparse and run.sparse.idle == WAITING:
        begin_waiting(run, rank, parameters)


cdef inline void finish_parts(void *arguments, Range parts) noexcept nogil:
    """A thread's parts of the rows of W that still wait for updates."""
    cdef Run *run = <Run *>arguments
    cdef Py_ssize_t rank
    cdef unsigned long long before = flush_subnormals()
    for rank in range(parts.start, parts.stop):
        if run.itemsize == sizeof(float):
            finish_waiting(run, rank, <float *>run.parameters)
        else:
            finish_waiting(run, rank, <double *>run.parameters)
    restore_subnormals(before)


cdef inline void train_batches(void *arguments, Range parts) noexcept nogil:
    """A thread's parts of the mini-batches to come; those without weight are skipped.

    Subnormal numbers are taken for 0. Thread 0, once it has been serial for a while, returns
    before the end.
    """
    cdef Run *run = <Run *>arguments
    cdef Py_ssize_t start = run.start, n_counted = run.n_counted, rank
    cdef bint single = run.itemsize == sizeof(float), goes_on = True
    cdef unsigned long long before = flush_subnormals()
    cdef Step step
    step.rule = run.rule
    for rank in range(parts.start, parts.stop if start == 0 else parts.start):
        if single:
            begin_part(run, rank, <float *>run.parameters)
        else:
            begin_part(run, rank, <double *>run.parameters)
    while start < run.batch.n and goes_on and not tries_team_again(run.barrier, parts):
        step.batch = slice_batch(run.batch, start, run.batch_size)
        step.weight = total_weight(run.dataset, step.batch)
        if step.weight > 0:
            if run.rates != NULL:
                step.rule.learning_rate = run.rates[step.rule.n_updates - run.first_update]
            begin_update(&step.rule)
            if single:
                goes_on = make_step(run, &step, &parts, <float *>run.parameters)
            else:
                goes_on = make_step(run, &step, &parts, <double *>run.parameters)
            n_counted += step.batch.n if goes_on else 0
        start += run.batch_size
    if parts.start == 0:
        step.rule.n_updates -= not goes_on
        run.start, run.n_counted, run.rule = start, n_counted, step.rule
    restore_subnormals(before)
