"""Update: what an update rule needs to know, beside the arrays it works on."""
from cymlp._engine.kernels.optimizers cimport ADAM, MOMENTUM, NESTEROV, SGD

cdef dict RULES = {"sgd": SGD, "momentum": MOMENTUM, "nesterov": NESTEROV, "adam": ADAM}


cdef class Update:
    """An update rule with its settings and its count of updates.

    Parameters
    ----------
    rule : {"sgd", "momentum", "nesterov", "adam"}
    learning_rate : float
    alpha : float
        L2 coefficient; the penalty is alpha / 2 |W|^2 over the weight of the mini-batch.
    momentum, beta_1, beta_2, epsilon : float
        Those that the rule knows.
    n_updates : int
        Updates done so far, counted on by the engine; Adam's t.
    """

    def __init__(
        self, rule, *, learning_rate, alpha,
        momentum=0.0, beta_1=0.0, beta_2=0.0, epsilon=0.0, n_updates=0,
    ):
        self.rule.name = RULES[rule]
        self.rule.learning_rate = learning_rate
        self.rule.alpha = alpha
        self.rule.momentum = momentum
        self.rule.beta_1 = beta_1
        self.rule.beta_2 = beta_2
        self.rule.epsilon = epsilon
        self.rule.n_updates = n_updates

    @property
    def learning_rate(self):
        """The rate of the updates to come."""
        return self.rule.learning_rate

    @learning_rate.setter
    def learning_rate(self, double value):
        self.rule.learning_rate = value

    @property
    def n_updates(self):
        """Updates done so far."""
        return self.rule.n_updates

    @property
    def n_states(self):
        """Vectors of the parameters' size that the rule keeps: velocity, or both moments."""
        return 2 if self.rule.name == ADAM else 0 if self.rule.name == SGD else 1
