"""Dataset: holds the buffers of X, targets and weights while the engine reads them."""
from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBUF_STRIDES, PyBuffer_Release, PyObject_CheckBuffer,
    PyObject_GetBuffer
)

import sys

from cymlp._engine.kernels.conversion cimport (
    FLOAT32, N_NUMBER_TYPES, number_type, number_type_entry
)

cdef char NATIVE_ORDER = b"<" if sys.byteorder == "little" else b">"

# The formats of a buffer of numbers that the engine reads.
cdef bytes NUMBERS = b"".join(
    [number_type_entry(number).formats for number in range(<int>N_NUMBER_TYPES)]
)


cdef int acquire(object array, Py_buffer *buffer, str name, int ndim, bytes formats) except -1:
    """Fill ``buffer`` from ``array``; TypeError unless ndim and format are right."""
    cdef int layout = PyBUF_STRIDES if ndim == 2 and name == "X" else PyBUF_C_CONTIGUOUS
    PyObject_GetBuffer(array, buffer, layout | PyBUF_FORMAT)
    # NumPy may say the order of the bytes even where it is the machine's own.
    if buffer.format[0] == NATIVE_ORDER:
        buffer.format += 1
    # A format of more than one character is one of another byte order, or no number's.
    if buffer.ndim != ndim or buffer.format[1] != 0 or buffer.format[0] not in formats:
        raise TypeError(
            f"{name} must have {ndim} dimensions and a format among {formats.decode()!r}, got "
            f"{buffer.ndim} and {buffer.format.decode()!r}"
        )
    return 0


cdef int check_classes(const int *classes, Py_ssize_t n, Py_ssize_t n_classes) except -1:
    """ValueError unless each of the classes (n,) is one of 0 to n_classes - 1."""
    cdef Py_ssize_t i
    for i in range(n):
        if not 0 <= classes[i] < n_classes:
            raise ValueError(f"targets[{i}] is {classes[i]}, of {n_classes} classes")
    return 0


cdef class Dataset:
    """Samples of a fit or a predict, for the engine to read in place.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        Bools, integers of 8 to 64 bits, or floats of 16 to 64 bits. An ndarray may have any
        strides. The index arrays of a CSR matrix are both int32 or both int64.
    targets : ndarray of shape (n_samples, n_outputs) or (n_samples,), C-contiguous, default=None
        Numbers of the network's dtype; bool or uint8, one column for each label; or, of one
        dimension and C's int, the class of each sample, from 0 to n_classes - 1.
    weights : ndarray of shape (n_samples,), C-contiguous, of the network's dtype, default=None
        None stands for ones.
    n_classes : int, default=0
        Outputs of the network whose targets are classes.
    dtype : numpy.dtype, default=None
        The network's, float32 or float64, which X's numbers are converted to as they are read.
        None stands for float32 if X has it, else for float64.

    Raises
    ------
    TypeError
        If an array has another number of dimensions or another dtype.
    ValueError
        If the shapes do not agree, or if there is no such class.
    """

    def __cinit__(self, X, targets=None, weights=None, Py_ssize_t n_classes=0, dtype=None):
        cdef Py_buffer *numbers
        cdef bytes network_format
        self.fields.n_samples, self.fields.n_features = X.shape
        self.fields.sparse = not PyObject_CheckBuffer(X)
        if self.fields.sparse:
            acquire(X.data, &self.fields.values, "X.data", 1, NUMBERS)
            acquire(X.indices, &self.fields.indices, "X.indices", 1, b"ilq")
            acquire(X.indptr, &self.fields.indptr, "X.indptr", 1, b"ilq")
            if self.fields.indices.itemsize != self.fields.indptr.itemsize:
                raise TypeError("X.indices and X.indptr must have one dtype")
            if self.fields.indptr.shape[0] != self.fields.n_samples + 1:
                raise ValueError("X.indptr must have one element more than X has rows")
        else:
            acquire(X, &self.fields.X, "X", 2, NUMBERS)
        numbers = &self.fields.values if self.fields.sparse else &self.fields.X
        self.fields.number = number_type(numbers.format, numbers.itemsize)
        if dtype is None:
            network_format = b"f" if self.fields.number == FLOAT32 else b"d"
        else:
            network_format = dtype.char.encode()
        if network_format not in (b"f", b"d"):
            raise TypeError(f"dtype must be float32 or float64, got {dtype}")
        self.fields.itemsize = sizeof(float) if network_format == b"f" else sizeof(double)
        if targets is not None and targets.ndim == 1:
            acquire(targets, &self.fields.targets, "targets", 1, b"i")
            self.fields.target_kind = CLASSES
            self.fields.n_outputs = n_classes
            check_classes(<const int *>self.fields.targets.buf, targets.shape[0], n_classes)
        elif targets is not None:
            acquire(targets, &self.fields.targets, "targets", 2, network_format + b"?B")
            self.fields.target_kind = INDICATORS if self.fields.targets.itemsize == 1 else VALUES
            self.fields.n_outputs = self.fields.targets.shape[1]
        if weights is not None:
            acquire(weights, &self.fields.weights, "weights", 1, network_format)
        for name, array in (("targets", targets), ("weights", weights)):
            if array is not None and array.shape[0] != self.fields.n_samples:
                raise ValueError(f"{name} has {array.shape[0]} rows, X has {self.fields.n_samples}")

    def __dealloc__(self):
        # Releasing a buffer that was never filled does nothing.
        PyBuffer_Release(&self.fields.X)
        PyBuffer_Release(&self.fields.values)
        PyBuffer_Release(&self.fields.indices)
        PyBuffer_Release(&self.fields.indptr)
        PyBuffer_Release(&self.fields.targets)
        PyBuffer_Release(&self.fields.weights)

    @property
    def n_samples(self):
        """Rows of X."""
        return self.fields.n_samples

    @property
    def n_features(self):
        """Columns of X."""
        return self.fields.n_features

    @property
    def itemsize(self):
        """Bytes of a number of the network: 4 or 8."""
        return self.fields.itemsize

    @property
    def n_outputs(self):
        """Outputs of the network that the targets are for; 0 without targets."""
        return self.fields.n_outputs
