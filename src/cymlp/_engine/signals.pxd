"""Ctrl-C inside a run: Python is asked for pending signals, some twenty times a second."""

cdef extern from "Python.h":
    # As in the C API: an exception that a handler raised stays set in the thread's state.
    int PyErr_CheckSignals() noexcept

cdef extern from "<time.h>" nogil:
    struct timespec:
        long long tv_sec
        long tv_nsec
    int TIME_UTC
    int timespec_get(timespec *now, int base)

cdef enum:
    INTERVAL_MS = 50   # milliseconds between two questions


cdef struct Poll:
    double asked     # when Python was last asked, in seconds
    bint raised      # whether a handler raised an exception


cdef inline double seconds() noexcept nogil:
    """The time, in seconds."""
    cdef timespec now
    timespec_get(&now, TIME_UTC)
    return now.tv_sec + 1e-9 * now.tv_nsec


cdef inline bint interrupted(Poll *poll) noexcept nogil:
    """Whether a signal handler has raised; never where ``poll`` is NULL."""
    cdef double now
    if poll == NULL:
        return False
    if not poll.raised:
        now = seconds()
        # The clock may be set back, hence the second condition.
        if 1000 * (now - poll.asked) > INTERVAL_MS or now < poll.asked:
            poll.asked = now
            with gil:
                poll.raised = PyErr_CheckSignals() != 0
    return poll.raised


cdef inline int propagate(Poll *poll) except -1:
    """Hand on the exception that a signal handler raised, if there is one."""
    return -1 if poll.raised else 0
