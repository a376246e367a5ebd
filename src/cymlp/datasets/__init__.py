"""Images from files: MNIST and Fashion-MNIST, IDX files, folders of images.

The functions return arrays as scikit-learn's loaders do: one row or one image for each sample, and
one label. Pixels are uint8, as in the files; divide them by 255 before a fit, in float32 for
speed.

>>> from cymlp.datasets import fetch_mnist
>>> mnist = fetch_mnist()  # doctest: +SKIP
>>> X_train = mnist.X_train.astype("float32") / 255  # doctest: +SKIP
"""

from cymlp.datasets._idx import load_idx
from cymlp.datasets._image_folder import load_image_folder
from cymlp.datasets._mnist import fetch_mnist

# Users see one module, in reprs and documentation.
for _public in (fetch_mnist, load_idx, load_image_folder):
    _public.__module__ = __name__
del _public

__all__ = ["fetch_mnist", "load_idx", "load_image_folder"]
