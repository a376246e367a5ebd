"""Callbacks: scikit-learn's, and plain functions; they need scikit-learn 1.9 or later."""

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
        """Empty: this scikit-learn has no callbacks."""

    def _with_callbacks(method: Callable[..., Any]) -> Callable[..., Any]:
        """The method unchanged."""
        return method


Method = TypeVar("Method", bound=Callable[..., Any])


class _Decorator(Protocol):
    """A decorator that keeps the method's signature."""

    def __call__(self, method: Method, /) -> Method: ...


def with_callbacks(method: Method) -> Method:
    """scikit-learn's decorator, typed so that the method keeps its signature."""
    return cast(Method, _with_callbacks(method))


def only_if(check: Callable[[Any], bool]) -> _Decorator:
    """scikit-learn's available_if, typed so that the method keeps its signature."""

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
    """scikit-learn's mixin, which takes plain functions too."""

    @only_if(_has_callbacks)
    def set_callbacks(self, *callbacks: Any) -> Self:
        """Set the callbacks that fit calls, replacing those set before.

        This method needs scikit-learn 1.9 or later. ``partial_fit`` does not call callbacks.
        ``clone`` keeps them, and they are pickled with the estimator, so a lambda fails there.
        Without arguments, all callbacks are removed.

        Parameters
        ----------
        *callbacks : callable or FitCallback
            Functions ``f(estimator, epoch)`` or callbacks of ``sklearn.callback``. A function is
            called after each epoch (with "lbfgs", each iteration) with the estimator being fitted,
            whose ``history_`` and ``loss_`` it may read, and the number of the epoch, from 1. If it
            returns True, the fit stops; if it raises an exception, the fit ends with it. Either
            way, the estimator keeps the weights reached so far (with early_stopping, the best of
            them). For a callback of ``sklearn.callback``, each epoch is one task.

        Returns
        -------
        self : estimator
            The estimator itself.

        Raises
        ------
        TypeError
            If a callback is neither a function nor a FitCallback instance.
        """
        super().set_callbacks(*map(_as_fit_callback, callbacks))
        return self

    # A pickle has the functions themselves, so that it depends on no private class.

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())
        if "_skl_callbacks" in state:
            state["_skl_callbacks"] = [
                callback.function if isinstance(callback, _AfterEachEpoch) else callback
                for callback in state["_skl_callbacks"]
            ]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_skl_callbacks" in state:
            self._skl_callbacks = [*map(_as_fit_callback, state["_skl_callbacks"])]


@dataclass(frozen=True, eq=False)
class _AfterEachEpoch:
    """A FitCallback that calls a function of the estimator and the epoch."""

    function: Callable[[Any, int], Any]

    def setup(self, estimator: Any, context: Any) -> None:
        """Do nothing."""

    teardown = on_fit_task_begin = setup

    def on_fit_task_end(self, estimator: Any, context: Any) -> bool:
        """Call the function, unless this is the end of the fit or of an interrupted epoch."""
        if context.task_name != "epoch" or estimator.n_iter_ <= context.task_id:
            return False
        return bool(self.function(estimator, estimator.n_iter_))


def _as_fit_callback(callback: Any) -> Any:
    """The callback as a FitCallback; a function is wrapped in one.

    Raises
    ------
    TypeError
        If it is neither a FitCallback nor a function.
    """
    if not isinstance(callback, type):  # a class has the methods too, but is not an instance
        if isinstance(callback, FitCallback):
            return callback
        if callable(callback):
            return _AfterEachEpoch(callback)
    raise TypeError(
        "callbacks must be functions (estimator, epoch) or instances following the FitCallback "
        f"protocol, got {callback!r}."
    )


class FitTask:
    """A fit as its callbacks see it: one task, with a subtask for each epoch.

    A newly constructed FitTask has no callbacks, and its methods do nothing.
    """

    def __init__(self) -> None:
        self._estimator: Any = None
        self._data: dict[str, Any] = {}
        self._root: Any = None
        self._epoch: Any = None
        self.has_failed = False  # whether a callback has raised an exception

    @classmethod
    def begin(cls, estimator: Any, max_epochs: int, X: Any, y: Any, sample_weight: Any) -> FitTask:
        """The task of a fit that begins; tells the estimator's callbacks, if it has any.

        Parameters
        ----------
        estimator : estimator
            The estimator to be fitted.
        max_epochs : int
        X, y, sample_weight
            As passed to fit.
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
        """Tell the callbacks that an epoch begins, unless one has begun already."""
        if self._root is not None and self._epoch is None:
            with self._recording_failure():
                self._epoch = self._root.subcontext(task_name="epoch")
                self._epoch.call_on_fit_task_begin(estimator=self._estimator, **self._data)

    def end_epoch(self, snapshot: Callable[[], dict[str, Any]]) -> bool:
        """Tell the callbacks that an epoch has ended; return whether one of them wants to stop.

        Parameters
        ----------
        snapshot : callable
            Returns the fitted attributes of the estimator as if fit had stopped here. Called
            only if a callback asks for the fitted estimator.
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
        """Set ``has_failed`` if an exception passes through."""
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
