"""A team of threads that run one job together, and the barrier at which they wait for each other.

The threads are Python's, inside ``Team.serve``, which releases the GIL. A thread that waits first
spins for some microseconds, as most waits are short; then it yields its CPU, which the thread
that it waits for may need; after a millisecond it sleeps, for longer and longer.

A job has as many parts as the team has threads. Where other processes keep the CPUs busy, waiting
for a thread that has no CPU can take a hundred times as long as its part. Thread 0 then goes
serial: it does all parts, one after another, with the same result to the last bit.
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
    # A flag may be read while another thread sets it. It orders no other reads and writes.
    ctypedef int flag "cymlp_flag"
    bint is_set "cymlp_is_set"(flag *) noexcept nogil
    void put "cymlp_put"(flag *, bint) noexcept nogil
    void pause "cymlp_pause"() noexcept nogil
    void yield_ "cymlp_yield"() noexcept nogil
    void sleep "cymlp_sleep"(long microseconds) noexcept nogil

cdef enum:
    MOST_THREADS = 256
    SPINS = 200           # some 40 ns each
    YIELDS = 2_000        # half a microsecond each, where nobody else wants the CPU
    LONGEST_SLEEP = 1000  # microseconds
    BLAS_WAIT = 2         # seconds, at most, until BLAS is adjusted; without it a run is slower
    # In milliseconds: thread 0 compares, over each window, the time that it has waited with the
    # time that the other parts take; if it would have been faster without the others, it goes
    # serial for a while.
    WINDOW = 50
    SERIAL = 500

# What every thread of a team runs: these parts of the job, one or all.
ctypedef void (*Job)(void *arguments, Range parts) noexcept nogil


cdef struct Barrier:
    Py_ssize_t size       # threads of the team
    double waited, since  # how long thread 0 has waited for the others, and since when
    double serial_until   # when thread 0 tries the others again
    Job job
    void *arguments
    # Each counter has a cache line of its own, as one thread writes what others watch.
    char[64] space_1
    counter jobs          # handed out so far
    char[64] space_2
    counter arrived       # threads at the barrier
    char[64] space_3
    counter opened        # times that the barrier has let all through
    char[64] space_4
    counter left          # threads that serve no more
    counter adjusted      # times that BLAS has been adjusted


cdef class Team:
    cdef Barrier barrier
    cdef Py_ssize_t n_started   # threads that serve, or are about to
    cdef object blas
    cdef void _wait_for_threads(self)
    cdef int _adjust_blas(self) except -1


cdef inline double wait_for_change(counter *watched, long old) noexcept nogil:
    """Wait until the counter has changed; return the seconds that it took, 0 if few."""
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


cdef inline double wait(Barrier *barrier) noexcept nogil:
    """Wait until every thread of the team is here; all then see what the others have written.

    Return the seconds that it took, 0 if few.
    """
    cdef long opened = read(&barrier.opened)
    if count(&barrier.arrived) < barrier.size:
        return wait_for_change(&barrier.opened, opened)
    write(&barrier.arrived, 0)
    write(&barrier.opened, opened + 1)
    return 0


cdef inline bint waits_too_much(Barrier *barrier) noexcept nogil:
    """Whether thread 0 had better go serial; if so it is serial from now on, for a while."""
    cdef double now, passed
    cdef bint too_much
    if barrier.waited == 0:
        return False
    now = seconds()
    passed = now - barrier.since
    if 1000 * passed < WINDOW:
        return False
    # Serial, it would do as many parts as there are threads in the time that it has not waited.
    too_much = barrier.size * (passed - barrier.waited) < passed
    if too_much:
        barrier.serial_until = max(barrier.serial_until, now + 1e-3 * SERIAL)
    barrier.since, barrier.waited = now, 0
    return too_much


cdef inline bint tries_team_again(Barrier *barrier, Range parts) noexcept nogil:
    """Whether the thread that does all parts has been serial for long enough."""
    return 1 < barrier.size == parts.stop - parts.start and seconds() >= barrier.serial_until


cdef inline Range hand_out(Barrier *barrier, Job job, void *arguments) noexcept nogil:
    """Have the other threads begin with their parts of the job; return those of the calling one.

    It is thread 0: it runs them itself, and then waits for the others.
    """
    if barrier.size == 1 or seconds() < barrier.serial_until:
        return Range(0, barrier.size)
    if barrier.waited == 0:
        barrier.since = seconds()
    barrier.job, barrier.arguments = job, arguments
    write(&barrier.jobs, read(&barrier.jobs) + 1)
    return Range(0, 1)
