"""Team: the threads of a fit or a predict."""
from _thread import start_new_thread

from cymlp._engine.dataset cimport Range

# The teams at work in this process.
AT_WORK = set()


cdef class Team:
    """Threads that run the engine's jobs together, from ``start`` to ``close``.

    The thread that starts the team is thread 0. The others have no names and are not among
    ``threading.enumerate()``. Should one not start, thread 0 does the work of all. ``start`` and
    ``close`` are compiled, so no signal handler runs inside them; after them one may, hence::

        team = Team(2)
        try:
            team.start()
            ...
        finally:
            team.close()

    ``with`` starts and closes the team too. But since Python 3.14 a handler may run between
    ``__enter__`` and the block, and if it raises, as that of Ctrl-C does, nothing closes the team.

    Parameters
    ----------
    size : int
        Number of threads, the calling one included.
    blas : object, default=None
        What holds BLAS at one thread, if the team calls BLAS: its set ``runs`` has the team while
        that is at work, and its method ``adjust`` is called after each change of the set. The
        call is made in a thread of its own, which no signal interrupts either, or in the
        calling thread where no other can start.
    """

    def __cinit__(self, Py_ssize_t size, blas=None):
        if size < 1:
            raise ValueError(f"A team has at least one thread, got {size}")
        if size > MOST_THREADS:
            raise ValueError(f"A team has at most {MOST_THREADS} threads, got {size}")
        self.barrier.size = size
        self.blas = blas

    @property
    def size(self):
        """Number of threads."""
        return self.barrier.size

    @property
    def n_serving(self):
        """Threads that were started and have not left."""
        return self.n_started - read(&self.barrier.left)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exception):
        self.close()

    def start(self):
        """Start the threads, and have BLAS adjusted."""
        cdef Py_ssize_t rank
        try:
            AT_WORK.add(self)
            if self.blas is not None:
                self.blas.runs.add(self)
                self._adjust_blas()
            for rank in range(1, self.barrier.size):
                start_new_thread(self.serve, (rank,))
                self.n_started += 1
        except RuntimeError:  # there can be no more threads
            self.go_serial()
        except BaseException:
            self.close()
            raise

    def serve(self, Py_ssize_t rank):
        """Run this thread's part of each job, until the team is closed."""
        cdef long jobs = 0
        if not 0 < rank < self.barrier.size:
            raise ValueError(f"The rank must be within 1 to {self.barrier.size - 1}, got {rank}")
        with nogil:
            while True:
                wait_for_change(&self.barrier.jobs, jobs)
                jobs += 1
                if self.barrier.job == NULL:
                    break
                self.barrier.job(self.barrier.arguments, Range(rank, rank + 1))
                wait(&self.barrier)
            count(&self.barrier.left)

    def go_serial(self):
        """Let the calling thread do all parts of the jobs to come, for good."""
        self.barrier.serial_until = 1e300
        self.barrier.waited = 0

    def forget_threads(self):
        """In a forked child: the calling thread is the only one of the team that lives on."""
        self.n_started = 0
        self.go_serial()

    def close(self):
        """Let the serving threads return, if there are any, and wait until they have."""
        self.go_serial()
        self.barrier.job = NULL
        write(&self.barrier.jobs, read(&self.barrier.jobs) + 1)
        self._wait_for_threads()
        AT_WORK.discard(self)
        if self.blas is not None and self in self.blas.runs:
            self.blas.runs.discard(self)
            self._adjust_blas()

    cdef void _wait_for_threads(self):
        """Return once all threads have left."""
        cdef long left
        with nogil:
            left = read(&self.barrier.left)
            while left < self.n_started:
                wait_for_change(&self.barrier.left, left)
                left = read(&self.barrier.left)

    cdef int _adjust_blas(self) except -1:
        """Have BLAS adjusted, and wait until it is, for ``BLAS_WAIT`` seconds at most."""
        cdef long adjusted = read(&self.barrier.adjusted)
        cdef double deadline = seconds() + BLAS_WAIT
        try:
            start_new_thread(self._adjust_and_tell, ())
        except RuntimeError:
            self.blas.adjust()
            return 0
        with nogil:
            while read(&self.barrier.adjusted) == adjusted and seconds() < deadline:
                yield_()
        return 0

    def _adjust_and_tell(self):
        """What the thread of ``_adjust_blas`` does."""
        try:
            self.blas.adjust()
        finally:
            count(&self.barrier.adjusted)
