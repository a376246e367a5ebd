"""Layout: where each layer's weights, intercepts and outputs begin."""
from cymlp._engine.kernels cimport (
    EXP_POISSON, IDENTITY, IDENTITY_SQUARED_ERROR, LOGISTIC, LOGISTIC_LOG_LOSS, RELU,
    SOFTMAX_LOG_LOSS, TANH
)
from libc.stdlib cimport calloc, free

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
        self.activation = ACTIVATIONS[activation]
        self.output = OUTPUTS[output]
        self.n_layers = len(units) - 1
        self.units = <Py_ssize_t *>calloc(4 * (self.n_layers + 1), sizeof(Py_ssize_t))
        if self.units == NULL:
            raise MemoryError
        self.W = self.units + self.n_layers + 1
        self.b = self.W + self.n_layers + 1
        self.A = self.b + self.n_layers + 1
        for layer in range(self.n_layers + 1):
            self.units[layer] = units[layer]
            if layer > 0:
                self.A[layer] = self.n_units
                self.n_units += self.units[layer]
                self.widest = max(self.widest, self.units[layer])
        for layer in range(self.n_layers):
            self.W[layer] = end
            end += self.units[layer] * self.units[layer + 1]
        self.n_weights = end
        for layer in range(self.n_layers):
            self.b[layer] = end
            end += self.units[layer + 1]
        self.n_parameters = end

    def __dealloc__(self):
        free(self.units)
