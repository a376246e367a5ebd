"""Loading an estimator of either class."""

import os

from cymlp._estimators.classifier import MLPClassifier
from cymlp._estimators.regressor import MLPRegressor
from cymlp._estimators.restoring import load_as

_CLASSES = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}


def load(path: str | os.PathLike[str]) -> MLPClassifier | MLPRegressor:
    """Load an estimator from a ``.safetensors`` file that its method ``save`` has written.

    No code in the file is run, and everything in it is checked.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    estimator : MLPClassifier or MLPRegressor
        It makes the same predictions as the saved one, to the last bit.

    Raises
    ------
    ValueError
        If the file is damaged, is not one of cymlp's, or is from a newer version of cymlp with
        another format.
    OSError
        If the file cannot be read.

    See Also
    --------
    MLPClassifier.load : Load a classifier, or an instance of a class derived from it.
    MLPRegressor.load : Likewise for a regressor.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import cymlp
    >>> clf = cymlp.MLPClassifier.from_weights([[[1.0]]], [[0.0]], classes=["no", "yes"])
    >>> with TemporaryDirectory() as folder:
    ...     clf.save(Path(folder) / "model.safetensors")
    ...     cymlp.load(Path(folder) / "model.safetensors").predict([[2.0], [-2.0]])
    array(['yes', 'no'], dtype='<U3')
    """
    loaded: MLPClassifier | MLPRegressor = load_as(path, _CLASSES.get)
    return loaded
