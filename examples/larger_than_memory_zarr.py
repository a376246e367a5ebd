"""Train on a zarr array, of which only some chunks are in memory at a time.

Run it with ``python examples/larger_than_memory_zarr.py``. It needs zarr; h5py's data sets and Dask
arrays are passed to ``fit`` in the same way. The digits come with scikit-learn, and are written to
a file first.
"""

import tempfile

import numpy as np
import zarr
from sklearn.datasets import load_digits

from cymlp import MLPClassifier

digits = load_digits()

with tempfile.TemporaryDirectory() as folder:
    order = np.argsort(digits.target, kind="stable")  # sorted by class, as files often are
    group = zarr.open_group(folder, mode="w")
    images = group.create_array("images", shape=(1797, 64), chunks=(20, 64), dtype=np.uint8)
    images[:] = digits.data[order].astype(np.uint8)
    labels = group.create_array("labels", data=digits.target[order])

    clf = MLPClassifier(
        shuffle_buffer=500, dtype="float32", early_stopping=True, max_iter=30, random_state=0
    )
    clf.fit(images, labels)
    print(f"{images.shape[0]} rows of {images.dtype} in {images.nchunks} chunks")
    print(f"accuracy on the rows held out: {clf.best_validation_score_:.3f}")
    print(f"accuracy on all rows: {clf.score(images, labels[:]):.3f}")
