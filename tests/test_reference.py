"""The functions of the reference network against SciPy's."""

import numpy as np
from numpy.testing import assert_allclose
from scipy.special import expit
from scipy.special import softmax as scipy_softmax

from reference import LINKS


def test_links():
    Z = np.random.default_rng(0).standard_normal((5, 3))
    assert_allclose(LINKS["softmax"](Z), scipy_softmax(Z, axis=1))
    assert_allclose(LINKS["logistic"](Z), expit(Z))
