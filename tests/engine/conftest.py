"""A fixture for the kernels, if they have been built."""

import pytest

from cymlp import _engine


@pytest.fixture(scope="session")
def kernels():
    """``cymlp._engine.testing``; skips without it, as it is built only in the source tree."""
    try:
        return _engine.testing
    except ImportError as error:
        pytest.skip(str(error))
