"""Objects in their own processes, so that the thread pools of libraries do not interfere."""

import multiprocessing
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any, Self


class WorkerError(RuntimeError):
    """A call failed in the worker; the message comes from there."""


class Worker:
    """An object that ``factory()`` makes in a new process, and whose methods can be called here.

    Parameters
    ----------
    factory : callable
        It must be picklable, and so must the arguments of methods and what they return.
    """

    def __init__(self, factory: Callable[[], Any]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, factory))
        self._process.start()
        theirs.close()

    def call(self, method: str, *arguments: Any) -> Any:
        """Call a method of the object, and return what it returns.

        Raises
        ------
        WorkerError
            If the method raises an exception, or the process ends.
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
    """Start a worker for each factory, and end them all afterwards."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(Worker(make)) for name, make in factories.items()}


def _serve(pipe: Connection, factory: Callable[[], Any]) -> None:
    """Make the object, and call its methods until the pipe is closed."""
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
