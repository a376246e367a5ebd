"""A team of threads that run one job together, and the gate at which they meet.

The threads are Python's, inside ``Team.serve`` with the interpreter's lock let go. Who waits
spins for some microseconds, as most waits are short; then lets others have the CPU, as one
of them may be whom it waits for; and sleeps after a millisecond, ever longer.

A job is shared out into as many parts as the team has members. Where other processes keep
the CPUs busy, waiting for a member that has no CPU can take a hundred times as long as its
part: then member 0 does all parts, one after another, with the same result to the last bit.
"""
from cymlp._engine.dataset cimport Range
from cymlp._engine.signals cimport seconds

cdef extern from *:
    """
    #if defined(_MSC_VER)
    #define WIN32_LEAN_AND_MEAN
    #define NOMINMAX
    #include <windows.h>
    #include <intrin.h>
    typedef volatile long cymlp_counter;
    #if defined(_M_X64) || defined(_M_IX86)
    #define cymlp_read(counter) (*(counter))   /* reads of volatile acquire there */
    #else
    #define cymlp_read(counter) _InterlockedOr(counter, 0)
    #endif
    #define cymlp_write(counter, value) _InterlockedExchange(counter, value)
    typedef volatile long cymlp_flag;
    #define cymlp_is_set(flag) (*(flag) != 0)
    #define cymlp_put(flag, value) (*(flag) = (value))
    #define cymlp_count(counter) (_InterlockedIncrement(counter))
    #define cymlp_pause() YieldProcessor()
    #define cymlp_yield() SwitchToThread()
    #define cymlp_sleep(microseconds) Sleep((DWORD)((microseconds) / 1000))
    #else
    #include <sched.h>
    #include <time.h>
    typedef long cymlp_counter;
    #define cymlp_read(counter) __atomic_load_n(counter, __ATOMIC_ACQUIRE)
    #define cymlp_write(counter, value) __atomic_store_n(counter, value, __ATOMIC_RELEASE)
    typedef int cymlp_flag;
    #define cymlp_is_set(flag) (__atomic_load_n(flag, __ATOMIC_RELAXED) != 0)
    #define cymlp_put(flag, value) __atomic_store_n(flag, value, __ATOMIC_RELAXED)
    #define cymlp_count(counter) __atomic_add_fetch(counter, 1, __ATOMIC_ACQ_REL)
    #if defined(__x86_64__) || defined(__i386__)
    #define cymlp_pause() __builtin_ia32_pause()
    #elif defined(__aarch64__)
    #define cymlp_pause() __asm__ __volatile__("isb")
    #else
    #define cymlp_pause()
    #endif
    #define cymlp_yield() sched_yield()
    static inline void cymlp_sleep(long microseconds) {
        struct timespec time = {0, 1000 * microseconds};
        nanosleep(&time, NULL);
    }
    #endif
    """
    ctypedef long counter "cymlp_counter"
    long read "cymlp_read"(counter *) noexcept nogil
    void write "cymlp_write"(counter *, long) noexcept nogil
    long count "cymlp_count"(counter *) noexcept nogil
    # A flag may be read while another thread sets it; it says nothing about what else that wrote.
    ctypedef int flag "cymlp_flag"
    bint is_set "cymlp_is_set"(flag *) noexcept nogil
    void put "cymlp_put"(flag *, bint) noexcept nogil
    void pause "cymlp_pause"() noexcept nogil
    void yield_ "cymlp_yield"() noexcept nogil
    void sleep "cymlp_sleep"(long microseconds) noexcept nogil

cdef enum:
    MOST_MEMBERS = 256
    SPINS = 200           # some 40 ns each
    YIELDS = 2_000        # half a microsecond each, where nobody else wants the CPU
    LONGEST_SLEEP = 1000  # microseconds
    BLAS_WAIT = 2         # seconds, at most, until BLAS is adjusted; without it a run is slower
    # In milliseconds: who has waited for the others in so much of the time last looked at that
    # it had been faster alone, does without them for a while.
    WINDOW = 50
    ALONE = 500

# What every member of a team runs: these parts of the job, one or all.
ctypedef void (*Job)(void *arguments, Range parts) noexcept nogil


cdef struct Gate:
    Py_ssize_t size       # members of the team
    double waited, since  # how long member 0 has waited for the others, since when
    double alone_until    # when it asks them again
    Job job
    void *arguments
    # Counters lie in cache lines of their own, as one member writes what others watch.
    char[64] space_1
    counter jobs          # handed out so far
    char[64] space_2
    counter arrived       # members at the gate
    char[64] space_3
    counter opened        # times that the gate has let all through
    char[64] space_4
    counter left          # members that serve no more
    counter adjusted      # times that BLAS has been adjusted


cdef class Team:
    cdef Gate gate
    cdef Py_ssize_t n_started   # threads that serve, or are about to
    cdef object blas
    cdef void _wait_for_threads(self)
    cdef int _adjust_blas(self) except -1


cdef inline double wait_for_change(counter *watched, long old) noexcept nogil:
    """Return once the counter is no longer what it was; the seconds that it took, 0 if few."""
    cdef long turns = 0
    cdef double start = 0
    while read(watched) == old:
        turns += 1
        if turns <= SPINS:
            pause()
            continue
        if turns == SPINS + 1:
            start = seconds()
        if turns <= SPINS + YIELDS:
            yield_()
        else:
            sleep(min(50 + (turns - SPINS - YIELDS), <long>LONGEST_SLEEP))
    return seconds() - start if turns > SPINS else 0


cdef inline double meet(Gate *gate) noexcept nogil:
    """Wait until every member of the team is here; what they wrote before, all see after.

    Return the seconds that it took, 0 if few.
    """
    cdef long opened = read(&gate.opened)
    if count(&gate.arrived) < gate.size:
        return wait_for_change(&gate.opened, opened)
    write(&gate.arrived, 0)
    write(&gate.opened, opened + 1)
    return 0


cdef inline bint waits_too_much(Gate *gate) noexcept nogil:
    """Whether member 0 had better go on alone, as it does from now on for a while."""
    cdef double now, passed
    cdef bint too_much
    if gate.waited == 0:
        return False
    now = seconds()
    passed = now - gate.since
    if 1000 * passed < WINDOW:
        return False
    # Alone, it would do as many parts as there are members in the time that it has not waited.
    too_much = gate.size * (passed - gate.waited) < passed
    if too_much:
        gate.alone_until = max(gate.alone_until, now + 1e-3 * ALONE)
    gate.since, gate.waited = now, 0
    return too_much


cdef inline bint done_alone(Gate *gate, Range parts) noexcept nogil:
    """Whether who does all parts alone had better ask the others again."""
    return 1 < gate.size == parts.stop - parts.start and seconds() >= gate.alone_until


cdef inline void run_together(Gate *gate, Job job, void *arguments) noexcept nogil:
    """Have every member run its part of the job, this thread being number 0."""
    if gate.size == 1 or seconds() < gate.alone_until:
        job(arguments, Range(0, gate.size))
        return
    if gate.waited == 0:
        gate.since = seconds()
    gate.job, gate.arguments = job, arguments
    write(&gate.jobs, read(&gate.jobs) + 1)
    job(arguments, Range(0, 1))
    gate.waited += meet(gate)
