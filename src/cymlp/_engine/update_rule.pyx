"""UpdateRule: what an update rule needs to know, beside the arrays it works on."""
from libc.stdlib cimport free, malloc

from cymlp._engine.kernels.update_rules cimport ADAM, GRADIENT, MOMENTUM, NESTEROV, SGD

cdef dict RULES = {
    "sgd": SGD, "momentum": MOMENTUM, "nesterov": NESTEROV, "adam": ADAM, "gradient": GRADIENT,
}
cdef dict N_STATES = {SGD: 0, MOMENTUM: 1, NESTEROV: 1, ADAM: 2, GRADIENT: 0}


cdef double *copied(values) except NULL:
    """The values in memory of their own."""
    cdef Py_ssize_t i
    cdef double *memory = <double *>malloc(len(values) * sizeof(double))
    if memory == NULL:
        raise MemoryError
    for i in range(len(values)):
        memory[i] = values[i]
    return memory


cdef class UpdateRule:
    """An update rule with its settings and its count of updates.

    Parameters
    ----------
    rule : {"sgd", "momentum", "nesterov", "adam", "gradient"}
        The last makes no update: it is for the gradient alone.
    learning_rate : float
    alpha : float or tuple of float
        L2 coefficient, of each layer or of all; the penalty is alpha / 2 |W|^2 over the weight
        of the mini-batch.
    l1 : tuple of float
        L1 coefficients of each layer: the penalty is l1 |W|_1 over the weight of the mini-batch;
        empty for none. Not part of the gradient, but applied after each update.
    weight_decay : float
        Of the weights, decoupled from the gradient.
    clip_norm : float
        Length to which a longer gradient, L2 penalty included, is scaled; 0 for none.
    momentum, beta_1, beta_2, epsilon : float
        Those that the rule knows.
    n_updates : int
        Updates done so far, counted on by the engine; Adam's t.
    seed : int
        Of dropout.
    """

    def __init__(
        self, rule, *, learning_rate, alpha, l1=(), weight_decay=0.0, clip_norm=0.0,
        momentum=0.0, beta_1=0.0, beta_2=0.0, epsilon=0.0, n_updates=0, seed=0,
    ):
        self.fields.name = RULES[rule]
        self.fields.learning_rate = learning_rate
        self.fields.weight_decay = weight_decay
        self.fields.clip_norm = clip_norm
        self.seed = seed
        self._forget_layers()
        if not isinstance(alpha, tuple):
            self.fields.alpha = alpha
        elif any(alpha):
            self.fields.alpha = max(alpha)
            self.n_l2 = len(alpha)
            self.fields.l2_shares = copied([value / self.fields.alpha for value in alpha])
        if any(l1):
            self.n_l1 = len(l1)
            self.fields.l1 = copied(l1)
        self.fields.momentum = momentum
        self.fields.beta_1 = beta_1
        self.fields.beta_2 = beta_2
        self.fields.epsilon = epsilon
        self.fields.n_updates = n_updates

    @property
    def learning_rate(self):
        """The rate of the updates to come."""
        return self.fields.learning_rate

    @learning_rate.setter
    def learning_rate(self, double value):
        self.fields.learning_rate = value

    @property
    def n_updates(self):
        """Updates done so far."""
        return self.fields.n_updates

    @property
    def n_states(self):
        """Vectors of the parameters' size that the rule keeps: velocity, or both moments."""
        return N_STATES[self.fields.name]

    cdef bint fits(self, Py_ssize_t n_layers):
        """Whether what it has for each layer is for so many."""
        return self.n_l2 in (0, n_layers) and self.n_l1 in (0, n_layers)

    def __dealloc__(self):
        self._forget_layers()

    cdef void _forget_layers(self):
        """Give back the memory of what it has for each layer."""
        free(<void *>self.fields.l2_shares)
        free(<void *>self.fields.l1)
        self.fields.l2_shares = self.fields.l1 = NULL
        self.n_l2 = self.n_l1 = 0
