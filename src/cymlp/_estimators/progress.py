"""What a fit prints: nothing, a line for each epoch, or a progress bar."""

from types import TracebackType
from typing import Any, Self


class Progress:
    """Prints the progress of a fit.

    Parameters
    ----------
    verbose : bool or int
        0 prints nothing, 2 shows a tqdm progress bar if tqdm is installed, and anything else
        prints scikit-learn's lines.
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
        """Print a message, unless nothing is to be printed."""
        if self._bar is not None:
            self._bar.write(message)
        elif self._prints:
            print(message)


def _bar(n_epochs: int) -> Any:
    """A tqdm progress bar, or None if tqdm is not installed."""
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    return tqdm(total=n_epochs, unit="epoch")
