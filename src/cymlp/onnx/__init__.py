"""Fitted networks as ONNX models, which run without Python and without cymlp.

:func:`to_onnx` converts an estimator; it needs ``onnx``, which the extra ``onnx`` installs.

If skl2onnx is installed, importing this module also tells it how to convert
:class:`~cymlp.MLPClassifier` and :class:`~cymlp.MLPRegressor`, so that it can convert pipelines and
searches that contain them.
"""

import contextlib

from cymlp.onnx._export import to_onnx

# skl2onnx may be missing, or not match the installed onnx, which is no reason to fail here.
with contextlib.suppress(ImportError):
    from cymlp.onnx import _skl2onnx

    _skl2onnx.register()

# Users see one module, in reprs and documentation.
to_onnx.__module__ = __name__

__all__ = ["to_onnx"]
