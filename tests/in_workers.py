"""What tests call in other processes, which must be able to import it: no test module."""

import uuid

from cymlp._engine import threads


def team_size(*arguments):
    """Threads that a run of this size gets in the worker."""
    with threads.engine_threads(*arguments) as team:
        return team.size


def spin():
    """Keep a CPU busy until the process is killed."""
    while True:
        pass


def leave_a_file(folder, estimator, epoch):
    """A callback, of whose calls in a worker the tests see a file each."""
    (folder / f"{estimator.alpha}-{epoch}-{uuid.uuid4()}").touch()
