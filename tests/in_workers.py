"""Functions that tests call in other processes, which cannot import test modules."""

import uuid

from cymlp._engine import threads


def team_size(*arguments):
    """Number of threads that a run of this size gets in a worker."""
    with threads.engine_threads(*arguments) as team:
        return team.size


def spin():
    """Keep a CPU busy until the process is killed."""
    while True:
        pass


def leave_a_file(folder, estimator, epoch):
    """A callback that leaves a file for each call, so that tests can count calls in workers."""
    (folder / f"{estimator.alpha}-{epoch}-{uuid.uuid4()}").touch()
