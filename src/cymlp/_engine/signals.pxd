"""Ctrl-C inside a run: Python is asked for pending signals, some twenty times a second."""

cdef extern from "Python.h":
    # As in the C API: an exception that a handler raised stays set in the thread's state.
    int PyErr_CheckSignals() noexcept

cdef extern from *:
    """
    #if defined(_MSC_VER)
    #define WIN32_LEAN_AND_MEAN
    #define NOMINMAX
    #include <windows.h>
    static double cymlp_seconds(void) {
        LARGE_INTEGER ticks, in_a_second;
        QueryPerformanceCounter(&ticks);
        QueryPerformanceFrequency(&in_a_second);
        return (double)ticks.QuadPart / (double)in_a_second.QuadPart;
    }
    #else
    #include <time.h>
    static double cymlp_seconds(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    }
    #endif
    """
    double seconds "cymlp_seconds"() noexcept nogil   # on a clock that nobody sets

cdef enum:
    INTERVAL_MS = 50   # milliseconds between two questions


cdef struct Poll:
    double asked     # when Python was last asked, in seconds
    bint raised      # whether a handler raised an exception


cdef inline bint interrupted(Poll *poll) noexcept nogil:
    """Whether a signal handler has raised."""
    cdef double now
    if not poll.raised:
        now = seconds()
        if 1000 * (now - poll.asked) > INTERVAL_MS:
            poll.asked = now
            with gil:
                poll.raised = PyErr_CheckSignals() != 0
    return poll.raised


cdef inline int propagate(Poll *poll) except -1:
    """Hand on the exception that a signal handler raised, if there is one."""
    return -1 if poll.raised else 0
