"""Update rules as flat loops over parameters w, gradient g and moving state, (size,) each.

``penalty`` is the L2 coefficient of the step: the gradient used is g + penalty * w.
"""
from cython cimport floating
from libc.math cimport sqrt, sqrtf

from cymlp._engine.kernels.elements cimport add_scaled, scale

# The last is no update: it leaves the whole gradient behind, penalty included, for L-BFGS.
cdef enum RuleName:
    SGD, MOMENTUM, NESTEROV, ADAM, GRADIENT


cdef struct rule_t:
    RuleName name
    double learning_rate
    double alpha              # the L2 coefficient, of each layer times its share:
    const double *l2_shares   # (n_layers,), or NULL where all are 1
    const double *l1          # (n_layers,) L1 coefficients, or NULL where there are none
    double weight_decay       # decoupled: of the weights themselves, at each update
    double clip_norm          # the longest gradient; 0 for any
    double momentum, beta_1, beta_2, epsilon
    long long n_updates


cdef inline double l2_share(const rule_t *rule, Py_ssize_t layer) noexcept nogil:
    """The layer's L2 coefficient over alpha."""
    return 1 if rule.l2_shares == NULL else rule.l2_shares[layer]


cdef inline double l1_coefficient(const rule_t *rule, Py_ssize_t layer) noexcept nogil:
    """The layer's L1 coefficient."""
    return 0 if rule.l1 == NULL else rule.l1[layer]


cdef inline floating sqrt_(floating x) noexcept nogil:
    """The square root in the precision of x."""
    return sqrtf(x) if floating is float else sqrt(x)


cdef inline void sgd(
    floating *w, const floating *g, Py_ssize_t size, floating rate, floating penalty
) noexcept nogil:
    """w <- w - rate g."""
    cdef Py_ssize_t i
    for i in range(size):
        w[i] -= rate * (g[i] + penalty * w[i])


cdef inline void momentum_sgd(
    floating *w, const floating *g, floating *velocity, Py_ssize_t size,
    floating rate, floating momentum, floating penalty,
) noexcept nogil:
    """v <- momentum v - rate g; w <- w + v (Polyak's heavy ball)."""
    cdef Py_ssize_t i
    for i in range(size):
        velocity[i] = momentum * velocity[i] - rate * (g[i] + penalty * w[i])
        w[i] += velocity[i]


cdef inline void nesterov_sgd(
    floating *w, const floating *g, floating *velocity, Py_ssize_t size,
    floating rate, floating momentum, floating penalty,
) noexcept nogil:
    """v <- momentum v - rate g; w <- w + momentum v - rate g (Nesterov's look-ahead)."""
    cdef Py_ssize_t i
    cdef floating step
    for i in range(size):
        step = rate * (g[i] + penalty * w[i])
        velocity[i] = momentum * velocity[i] - step
        w[i] += momentum * velocity[i] - step


cdef inline void adam(
    floating *w, const floating *g, floating *m, floating *v, Py_ssize_t size,
    floating rate, double beta_1, double beta_2, floating epsilon, floating penalty,
) noexcept nogil:
    """m <- b1 m + (1 - b1) g; v <- b2 v + (1 - b2) g^2; w <- w - rate m / (sqrt(v) + epsilon).

    Kingma and Ba, "Adam: A Method for Stochastic Optimization" (2014), in the form at the
    end of its section 2: ``rate`` carries the bias corrections.
    """
    cdef Py_ssize_t i
    cdef floating gradient
    cdef floating keep_m = <floating>beta_1, add_m = <floating>(1 - beta_1)
    cdef floating keep_v = <floating>beta_2, add_v = <floating>(1 - beta_2)
    for i in range(size):
        gradient = g[i] + penalty * w[i]
        m[i] = keep_m * m[i] + add_m * gradient
        v[i] = keep_v * v[i] + add_v * (gradient * gradient)
        w[i] -= rate * m[i] / (sqrt_(v[i]) + epsilon)


cdef inline double step_size(const rule_t *rule) noexcept nogil:
    """The learning rate; Adam's with both bias corrections of update number ``n_updates``."""
    if rule.name != ADAM:
        return rule.learning_rate
    return (
        rule.learning_rate * sqrt(1 - rule.beta_2 ** rule.n_updates)
        / (1 - rule.beta_1 ** rule.n_updates)
    )


cdef inline void apply(
    const rule_t *rule, floating *w, floating *g, floating *state, Py_ssize_t n_parameters,
    Py_ssize_t size, double penalty, double decay,
) noexcept nogil:
    """Update w (size,) by its gradient g (size,), after its decay if it has any.

    ``state`` is where w's part begins in (n_states, n_parameters): nothing for plain SGD,
    the velocity, or Adam's m and v. Decay is I. Loshchilov and F. Hutter's, "Decoupled weight
    decay regularization" (2019): w <- (1 - learning rate * decay) w.
    """
    cdef floating rate = <floating>step_size(rule)
    if decay > 0:
        add_scaled(g, <floating>penalty, w, size)   # of the weights before they decay
        scale(w, size, <floating>(1 - rule.learning_rate * decay))
        penalty = 0
    if rule.name == SGD:
        sgd(w, g, size, rate, <floating>penalty)
    elif rule.name == MOMENTUM:
        momentum_sgd(w, g, state, size, rate, <floating>rule.momentum, <floating>penalty)
    elif rule.name == NESTEROV:
        nesterov_sgd(w, g, state, size, rate, <floating>rule.momentum, <floating>penalty)
    elif rule.name == ADAM:
        adam(
            w, g, state, state + n_parameters, size,
            rate, rule.beta_1, rule.beta_2, <floating>rule.epsilon, <floating>penalty,
        )
    else:
        add_scaled(g, <floating>penalty, w, size)


cdef inline floating shrink(floating w, floating threshold) noexcept nogil:
    """sign(w) max(|w| - threshold, 0); 0 w lets NaN through."""
    return w - threshold if w > threshold else w + threshold if w < -threshold else 0 * w


cdef inline void soft_threshold(
    const rule_t *rule, floating *w, const floating *state, Py_ssize_t n_parameters,
    Py_ssize_t size, double l1,
) noexcept nogil:
    """w (size,) <- sign(w) max(|w| - threshold, 0): the proximal step of the penalty l1 |w|_1.

    The threshold is l1 times the step that the rule makes in the long run of a gradient of 1:
    the rate, over 1 - momentum, or over sqrt(v) + epsilon for each weight. So that what it
    comes to rest at minimises the loss with its penalty, whatever the rule.

    A. Beck, M. Teboulle, "A fast iterative shrinkage-thresholding algorithm for linear inverse
    problems", SIAM J. Imaging Sciences 2, 2009; P. Melchior et al., "Proximal Adam: robust
    adaptive update scheme for constrained optimization", 2019, arXiv:1910.10094.
    """
    cdef floating threshold = <floating>(step_size(rule) * l1), epsilon = <floating>rule.epsilon
    cdef const floating *v
    cdef Py_ssize_t i
    if rule.name == ADAM:
        v = state + n_parameters
        for i in range(size):
            w[i] = shrink(w[i], threshold / (sqrt_(v[i]) + epsilon))
        return
    if rule.name != SGD and rule.momentum < 1:
        threshold /= <floating>(1 - rule.momentum)
    for i in range(size):
        w[i] = shrink(w[i], threshold)
