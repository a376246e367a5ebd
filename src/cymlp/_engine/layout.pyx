"""Layout: where each layer's weights, intercepts and outputs begin."""
from cymlp._engine.kernels.elements cimport (
    EXP_POISSON, IDENTITY, IDENTITY_SQUARED_ERROR, LOGISTIC, LOGISTIC_LOG_LOSS, RELU,
    SOFTMAX_LOG_LOSS, TANH
)
from libc.stdlib cimport calloc, free

cdef int MOST_UNITS = 2_147_483_647   # as far as BLAS counts

cdef dict ACTIVATIONS = {"identity": IDENTITY, "logistic": LOGISTIC, "tanh": TANH, "relu": RELU}
cdef dict OUTPUTS = {
    "identity": IDENTITY_SQUARED_ERROR, "exp": EXP_POISSON,
    "logistic": LOGISTIC_LOG_LOSS, "softmax": SOFTMAX_LOG_LOSS,
}


cdef class Layout:
    """Sizes and offsets of a network, for the engine.

    Parameters
    ----------
    units : tuple of int
        Inputs, units of each hidden layer, outputs; each fits BLAS's 32-bit sizes.
    activation : {"identity", "logistic", "tanh", "relu"}
        Of the hidden layers.
    output : {"identity", "exp", "logistic", "softmax"}
        Of the output layer; it determines the loss too.
    """

    def __cinit__(self, units, activation, output):
        cdef Py_ssize_t layer, end = 0
        cdef Net *net = &self.net
        net.activation = ACTIVATIONS[activation]
        net.output = OUTPUTS[output]
        if len(units) < 2 or not all(1 <= size <= MOST_UNITS for size in units):
            raise ValueError(
                f"Layers must have from 1 to {MOST_UNITS} units, and there must be two or more "
                f"of them, got {tuple(units)}."
            )
        net.n_layers = len(units) - 1
        net.units = <Py_ssize_t *>calloc(4 * (net.n_layers + 1), sizeof(Py_ssize_t))
        if net.units == NULL:
            raise MemoryError
        net.W = net.units + net.n_layers + 1
        net.b = net.W + net.n_layers + 1
        net.A = net.b + net.n_layers + 1
        for layer in range(net.n_layers + 1):
            net.units[layer] = units[layer]
            if layer > 0:
                net.A[layer] = net.n_units
                net.n_units += net.units[layer]
                net.widest = max(net.widest, net.units[layer])
        for layer in range(net.n_layers):
            net.W[layer] = end
            end += net.units[layer] * net.units[layer + 1]
        net.n_weights = end
        for layer in range(net.n_layers):
            net.b[layer] = end
            end += net.units[layer + 1]
        net.n_parameters = end

    def __dealloc__(self):
        free(self.net.units)

    @property
    def n_weights(self):
        """Elements of all weight matrices."""
        return self.net.n_weights

    @property
    def n_parameters(self):
        """Elements of all weight matrices and intercepts."""
        return self.net.n_parameters
