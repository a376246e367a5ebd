"""Train on a Parquet file, of which only some row groups are in memory at a time.

Run it with ``python examples/larger_than_memory_parquet.py``. It needs pyarrow. The digits come
with scikit-learn, and are written to a file first.
"""

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.datasets import load_digits

from cymlp import MLPClassifier


class ParquetRows:
    """Columns of a Parquet file as rows of float32, for cymlp to read by slices."""

    def __init__(self, path, columns):
        self._file, self._columns = pq.ParquetFile(path), columns
        groups = self._file.metadata
        sizes = [groups.row_group(i).num_rows for i in range(groups.num_row_groups)]
        self._edges = np.cumsum([0, *sizes])
        self.shape, self.dtype = (groups.num_rows, len(columns)), np.dtype(np.float32)
        self.chunks = (tuple(sizes), (len(columns),))  # blocks of rows become whole row groups

    def __getitem__(self, rows):
        first = int(np.searchsorted(self._edges, rows.start, "right")) - 1
        last = int(np.searchsorted(self._edges, rows.stop, "left"))
        table = self._file.read_row_groups(range(first, last), self._columns)
        (batch,) = table.select(self._columns).combine_chunks().to_batches()
        start = self._edges[first]
        return batch.to_tensor(null_to_nan=True).to_numpy()[rows.start - start : rows.stop - start]


digits = load_digits()
X, y = (digits.data / 16).astype(np.float32), digits.target
pixels = [f"pixel {i}" for i in range(X.shape[1])]

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "digits.parquet")
    order = np.argsort(y, kind="stable")  # sorted by class, as files often are
    columns = [*X[order].T, y[order]]
    pq.write_table(pa.table(columns, [*pixels, "digit"]), path, row_group_size=20)

    rows = ParquetRows(path, pixels)
    labels = pq.read_table(path, columns=["digit"])["digit"].to_numpy()
    clf = MLPClassifier(shuffle_buffer=500, early_stopping=True, max_iter=30, random_state=0)
    clf.fit(rows, labels)
    print(f"{rows.shape[0]} rows in {len(rows.chunks[0])} row groups, {clf.n_iter_} epochs")
    print(f"accuracy on the rows held out: {clf.best_validation_score_:.3f}")
    print(f"accuracy on all rows: {clf.score(rows, labels):.3f}")
