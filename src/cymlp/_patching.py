"""patch_sklearn: cymlp's estimators in scikit-learn's place, for code that cannot be edited."""

from cymlp._estimators.classifier import MLPClassifier
from cymlp._estimators.regressor import MLPRegressor
from cymlp._estimators.scikit_learn import original_class

_ESTIMATORS = (MLPClassifier, MLPRegressor)


def patch_sklearn() -> None:
    """Put cymlp's estimators in the place of scikit-learn's.

    From now on, ``sklearn.neural_network.MLPClassifier`` and ``MLPRegressor`` are cymlp's, also for
    ``sklearn.utils.all_estimators``. So code that you cannot edit, such as an AutoML library, uses
    cymlp. Calling it again changes nothing.

    See Also
    --------
    unpatch_sklearn : Undo it.

    Notes
    -----
    Call it before you import the code that is to use cymlp: a module that has executed ``from
    sklearn.neural_network import MLPClassifier`` keeps scikit-learn's class. Processes that are
    started later are not patched, unless they are forks of this one.

    Existing estimators stay what they were. scikit-learn's own classes remain where pickles look
    for them, so its models can still be pickled, loaded and cloned. Pickles of estimators
    made while scikit-learn is patched are cymlp's, and need no patch to be loaded.

    To do this for a whole program, run ``python -m cymlp program.py`` in place of ``python
    program.py``.

    Examples
    --------
    >>> import cymlp
    >>> cymlp.patch_sklearn()
    >>> from sklearn.neural_network import MLPClassifier
    >>> MLPClassifier is cymlp.MLPClassifier
    True
    >>> cymlp.unpatch_sklearn()
    """
    from sklearn import neural_network  # late, to keep import cymlp fast

    for estimator in _ESTIMATORS:
        setattr(neural_network, estimator.__name__, estimator)


def unpatch_sklearn() -> None:
    """Put scikit-learn's own estimators back, after `patch_sklearn`.

    Without a patch it does nothing. A module that has imported cymlp's classes from scikit-learn by
    name keeps them.

    See Also
    --------
    patch_sklearn : Put cymlp's estimators in their place.

    Examples
    --------
    >>> import cymlp
    >>> cymlp.patch_sklearn()
    >>> cymlp.unpatch_sklearn()
    >>> from sklearn.neural_network import MLPClassifier
    >>> MLPClassifier is cymlp.MLPClassifier
    False
    """
    from sklearn import neural_network  # late, to keep import cymlp fast

    for estimator in _ESTIMATORS:
        name = estimator.__name__
        if getattr(neural_network, name) is estimator:
            setattr(neural_network, name, original_class(name))
