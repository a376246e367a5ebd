"""scikit-learn's callbacks, where scikit-learn has them (1.9 and later)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar, cast

try:
    from sklearn.callback import CallbackSupportMixin
    from sklearn.callback import with_callbacks as _with_callbacks
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing: this scikit-learn has no callbacks."""

    def _with_callbacks(method: Callable[..., Any]) -> Callable[..., Any]:
        """The method as it is, one frame deeper, as it is with scikit-learn's decorator."""

        @wraps(method)
        def without_callbacks(estimator: Any, *args: Any, **kwargs: Any) -> Any:
            return method(estimator, *args, **kwargs)

        return without_callbacks


Method = TypeVar("Method", bound=Callable[..., Any])


def with_callbacks(method: Method) -> Method:
    """scikit-learn's decorator, which type checkers do not know to keep the signature."""
    return cast(Method, _with_callbacks(method))


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
            with self._noting_failure():
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
        with self._noting_failure():
            return bool(
                epoch.call_on_fit_task_end(
                    estimator=self._estimator, reconstruction_attributes=snapshot, **self._data
                )
            )

    @contextmanager
    def _noting_failure(self) -> Iterator[None]:
        """Take note of an exception that goes through."""
        try:
            yield
        except Exception:
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
