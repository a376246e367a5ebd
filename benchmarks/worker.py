"""An object in a process of its own, so that no two libraries' thread pools meet."""

import multiprocessing
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any, Self


class WorkerError(RuntimeError):
    """A call failed in the worker; the message is what it said there."""


class Worker:
    """What ``factory()`` makes in a new process; its methods are called from here.

    Parameters
    ----------
    factory : callable
        It is pickled, and so are arguments and what methods return.
    """

    def __init__(self, factory: Callable[[], Any]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, factory))
        self._process.start()
        theirs.close()

    def call(self, method: str, *arguments: Any) -> Any:
        """What the object's method returns.

        Raises
        ------
        WorkerError
            If it raises there, or the process ends.
        """
        try:
            self._pipe.send((method, arguments))
            done, answer = self._pipe.recv()
        except (EOFError, OSError):
            raise WorkerError("its process ended") from None
        if not done:
            raise WorkerError(answer)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._pipe.close()
        self._process.join()


@contextmanager
def workers(factories: Mapping[str, Callable[[], Any]]) -> Iterator[dict[str, Worker]]:
    """A worker of each factory."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(Worker(make)) for name, make in factories.items()}


def _serve(pipe: Connection, factory: Callable[[], Any]) -> None:
    """Make the object and call its methods, until the pipe is closed."""
    served = factory()
    with suppress(EOFError):
        while True:
            method, arguments = pipe.recv()
            try:
                answer = True, getattr(served, method)(*arguments)
            except Exception as error:
                traceback.print_exc()
                answer = False, f"{type(error).__name__}: {error}"
            pipe.send(answer)
