"""Team: the threads of a fit or a predict."""
from cymlp._engine.samples cimport Range


cdef class Team:
    """Threads that run the engine's jobs together.

    The thread that calls the engine is member 0. The others are to call ``serve``, each with
    its rank, and stay there until ``close``.

    Parameters
    ----------
    size : int
        Number of threads, the calling one included.
    """

    def __cinit__(self, Py_ssize_t size):
        if size < 1:
            raise ValueError(f"A team has at least one member, got {size}")
        if size > MOST_MEMBERS:
            raise ValueError(f"A team has at most {MOST_MEMBERS} members, got {size}")
        self.gate.size = size

    @property
    def size(self):
        """Number of threads."""
        return self.gate.size

    def serve(self, Py_ssize_t rank):
        """Run this member's part of each job, until the team is closed."""
        cdef long jobs = 0
        if not 0 < rank < self.gate.size:
            raise ValueError(f"The rank must be within 1 to {self.gate.size - 1}, got {rank}")
        with nogil:
            while True:
                wait_for_change(&self.gate.jobs, jobs)
                jobs += 1
                if self.gate.job == NULL:
                    break
                self.gate.job(self.gate.arguments, Range(rank, rank + 1))
                meet(&self.gate)

    def go_on_alone(self):
        """Let the calling thread do all parts of the jobs to come, for good.

        In a forked child it is the only one of the team's threads that lives on.
        """
        self.gate.alone_until = 1e300
        self.gate.waited = 0

    def close(self):
        """Let the serving threads return; the calling one does all from now on."""
        self.go_on_alone()
        self.gate.job = NULL
        write(&self.gate.jobs, read(&self.gate.jobs) + 1)
