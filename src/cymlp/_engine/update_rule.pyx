"""UpdateRule: what an update rule needs to know, beside the arrays it works on."""
from cymlp._engine.kernels.update_rules cimport N_RULES, RuleName, rule_entry

# The names that the kernels know.
UPDATE_RULES = tuple(rule_entry(name).name.decode() for name in range(<int>N_RULES))


cdef class UpdateRule:
    """An update rule with its settings and its count of updates.

    Parameters
    ----------
    name : str
        Among ``UPDATE_RULES``.
    learning_rate : float
    weight_decay : float, default=0.0
        Of the weights, decoupled from the gradient.
    clip_norm : float, default=0.0
        Length to which a longer gradient, L2 penalty included, is scaled; 0 for none.
    momentum, beta_1, beta_2, epsilon : float, default=0.0
        Those that the rule has.
    n_updates : int, default=0
        Updates done so far, counted on by the engine; Adam's t.
    """

    def __init__(
        self, name, *, learning_rate, weight_decay=0.0, clip_norm=0.0, momentum=0.0, beta_1=0.0,
        beta_2=0.0, epsilon=0.0, n_updates=0,
    ):
        if name not in UPDATE_RULES:
            raise ValueError(f"The update rule must be one of {UPDATE_RULES}, got {name!r}")
        self.fields.name = <RuleName><int>UPDATE_RULES.index(name)
        self.fields.learning_rate = learning_rate
        self.fields.weight_decay = weight_decay
        self.fields.clip_norm = clip_norm
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
        """Vectors of the parameters' size that the rule carries on: velocity, or both moments."""
        return rule_entry(self.fields.name).n_states
