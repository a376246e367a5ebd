"""The kernels one by one, where they are built."""

import pytest

from cymlp import _engine


@pytest.fixture(scope="session")
def kernels():
    """``cymlp._engine.testing``, or skip: it is built in the source tree alone."""
    try:
        return _engine.testing
    except ImportError as error:
        pytest.skip(str(error))
