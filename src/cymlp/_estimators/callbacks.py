"""scikit-learn's callbacks, and functions, where scikit-learn has callbacks (1.9 and later)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeVar, cast

from sklearn import __version__ as sklearn_version
from sklearn.utils.metaestimators import available_if

try:
    from sklearn.callback import CallbackSupportMixin as _CallbackSupportMixin
    from sklearn.callback import FitCallback
    from sklearn.callback import with_callbacks as _with_callbacks
except ImportError:
    FitCallback = None

    class _CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing: this scikit-learn has no callbacks."""

    def _with_callbacks(method: Callable[..., Any]) -> Callable[..., Any]:
        """The method as it is."""
        return method


Method = TypeVar("Method", bound=Callable[..., Any])


class _Decorator(Protocol):
    """What takes a method and returns one of the same signature."""

    def __call__(self, method: Method, /) -> Method: ...


def with_callbacks(method: Method) -> Method:
    """scikit-learn's decorator, which type checkers do not know to keep the signature."""
    return cast(Method, _with_callbacks(method))


def only_if(check: Callable[[Any], bool]) -> _Decorator:
    """scikit-learn's available_if, which type checkers do not know to keep the signature."""

    def decorate(method: Method) -> Method:
        return cast(Method, available_if(check)(method))

    return decorate


def _has_callbacks(estimator: Any) -> bool:
    """Whether set_callbacks exists; the AttributeError says why not."""
    if FitCallback is None:
        raise AttributeError(
            f"set_callbacks needs scikit-learn 1.9 or later, this is {sklearn_version}."
        )
    return True


class CallbackSupportMixin(_CallbackSupportMixin):
    """scikit-learn's mixin, that takes functions too."""

    @only_if(_has_callbacks)
    def set_callbacks(self, *callbacks: Any) -> Self:
        """Set what fit calls as it goes on, in place of what was set before.

        This method exists with scikit-learn 1.9 or later. ``partial_fit`` does not call callbacks,
        ``clone`` keeps them, and they are pickled with the estimator: a lambda cannot be.
        Without arguments all are removed.

        Parameters
        ----------
        *callbacks : callable or FitCallback
            Each a function ``f(estimator, epoch)`` or a callback of ``sklearn.callback``. A
            function is called after each epoch (with "lbfgs" each iteration) with the estimator
            being fitted, whose ``history_`` and ``loss_`` can be read, and the number of the
            epoch, from 1. If it returns True, the fit stops; if it raises an exception, the
            fit ends with that. Either way the estimator keeps the weights it has by then (with
            early_stopping the best of them). For a callback of ``sklearn.callback`` each epoch is
            one task.

        Returns
        -------
        self : estimator
            The estimator itself.

        Raises
        ------
        TypeError
            If one is neither a function nor an instance of a FitCallback.
        """
        super().set_callbacks(*map(_as_fit_callback, callbacks))
        return self


@dataclass(frozen=True)
class _AfterEachEpoch:
    """A function of the estimator and the epoch as a FitCallback."""

    function: Callable[[Any, int], Any]

    def setup(self, estimator: Any, context: Any) -> None:
        """Nothing."""

    teardown = on_fit_task_begin = setup

    def on_fit_task_end(self, estimator: Any, context: Any) -> bool:
        """Call the function, but not at the end of the whole fit or of an epoch cut short."""
        if context.task_name != "epoch" or estimator.n_iter_ <= context.task_id:
            return False
        return bool(self.function(estimator, estimator.n_iter_))


def _as_fit_callback(callback: Any) -> Any:
    """A FitCallback: itself, or a function made one.

    Raises
    ------
    TypeError
        If it is neither.
    """
    if not isinstance(callback, type):  # a class has the methods too, but no instance
        if isinstance(callback, FitCallback):
            return callback
        if callable(callback):
            return _AfterEachEpoch(callback)
    raise TypeError(
        "callbacks must be functions (estimator, epoch) or instances following the FitCallback "
        f"protocol, got {callback!r}."
    )


class FitTask:
    """The fit of an estimator as its callbacks see it: one task, with one more for each epoch.

    As constructed it has no callbacks, and its methods do nothing.
    """

    def __init__(self) -> None:
        self._estimator: Any = None
        self._data: dict[str, Any] = {}
        self._root: Any = None
        self._epoch: Any = None
        self.has_failed = False  # whether a callback has raised an exception

    @classmethod
    def begin(cls, estimator: Any, max_epochs: int, X: Any, y: Any, sample_weight: Any) -> FitTask:
        """The task of a fit that begins, as the estimator's callbacks are told, if it has any.

        Parameters
        ----------
        estimator : estimator
            The one to be fitted.
        max_epochs : int
        X, y, sample_weight
            As given to fit.
        """
        task = cls()
        if getattr(estimator, "_skl_callbacks", None):
            task._estimator = estimator
            metadata = None if sample_weight is None else {"sample_weight": sample_weight}
            task._data = {"X": X, "y": y, "metadata": metadata}
            task._root = estimator._init_callback_context(max_subtasks=max_epochs)
            task._root.call_on_fit_task_begin(estimator=estimator, **task._data)
        return task

    def begin_epoch(self) -> None:
        """Tell the callbacks that an epoch begins, unless one is under way."""
        if self._root is not None and self._epoch is None:
            with self._recording_failure():
                self._epoch = self._root.subcontext(task_name="epoch")
                self._epoch.call_on_fit_task_begin(estimator=self._estimator, **self._data)

    def end_epoch(self, snapshot: Callable[[], dict[str, Any]]) -> bool:
        """Tell the callbacks that an epoch has ended; whether one of them wants to stop.

        Parameters
        ----------
        snapshot : callable
            Returns the fitted attributes of the estimator as if fit had stopped here;
            called only where a callback asks for the fitted estimator.
        """
        if self._epoch is None:
            return False
        epoch, self._epoch = self._epoch, None
        with self._recording_failure():
            return bool(
                epoch.call_on_fit_task_end(
                    estimator=self._estimator, reconstruction_attributes=snapshot, **self._data
                )
            )

    @contextmanager
    def _recording_failure(self) -> Iterator[None]:
        """Take note of an exception that goes through."""
        try:
            yield
        except BaseException:
            self.has_failed = True
            raise

    def end(self) -> None:
        """Tell the callbacks that the fit has ended."""
        if self._root is not None:
            if self._epoch is not None:
                self._epoch.call_on_fit_task_end(estimator=self._estimator)
            self._root.call_on_fit_task_end(
                estimator=self._estimator, reconstruction_attributes={}, **self._data
            )
