"""Finding the network inside pipelines and searches."""

from typing import Any

from sklearn.utils.validation import check_is_fitted


def path_to_part(estimator: Any, attribute: str) -> list[Any]:
    """The estimator, then what it wraps, down to the part that has the attribute.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If no part has the attribute.
    """
    check_is_fitted(estimator)
    path = [estimator]
    while not hasattr(part := path[-1], attribute):
        if hasattr(part, "best_estimator_"):
            path.append(part.best_estimator_)
        elif hasattr(part, "steps"):
            path.append(part.steps[-1][1])
        else:
            raise ValueError(f"{type(part).__name__} has no {attribute}.")
    return path


def fitted_part(estimator: Any, attribute: str) -> Any:
    """The last part of `path_to_part`: the one that has the attribute."""
    return path_to_part(estimator, attribute)[-1]
