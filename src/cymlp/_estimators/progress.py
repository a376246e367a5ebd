"""What a fit prints: nothing, a line for each epoch, or one bar."""

from types import TracebackType
from typing import Any, Self


class Progress:
    """The progress of a fit, as ``verbose`` wants it shown.

    Parameters
    ----------
    verbose : bool or int
        0 for nothing, 2 for a bar of tqdm if that is installed, anything else for scikit-learn's
        lines.
    n_epochs : int
    """

    def __init__(self, verbose: int, n_epochs: int) -> None:
        self._prints = bool(verbose)
        self._bar = _bar(n_epochs) if verbose == 2 else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def end_epoch(self, n_iter: int, loss: float, score: float | None = None) -> None:
        """Show an epoch's loss, and its validation score if there is one."""
        if self._bar is not None:
            shown = {"loss": f"{loss:.6g}"} | ({} if score is None else {"score": f"{score:.6g}"})
            self._bar.set_postfix(shown, refresh=False)
            self._bar.update()
        elif self._prints:
            print(f"Iteration {n_iter}, loss = {loss:.8f}")
            if score is not None:
                print(f"Validation score: {score:f}")

    def write(self, message: str) -> None:
        """Show a message, if anything is shown at all."""
        if self._bar is not None:
            self._bar.write(message)
        elif self._prints:
            print(message)


def _bar(n_epochs: int) -> Any:
    """A bar of tqdm, or None where that is not installed."""
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    return tqdm(total=n_epochs, unit="epoch")
