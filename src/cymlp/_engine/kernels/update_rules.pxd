"""Update rules as flat loops over parameters w, gradient g and moving state, (size,) each.

To add one: an entry in ``RuleName`` and in the table below it, a loop, and branches in ``apply``
and, if its steps are not those of momentum, in ``soft_threshold``.

``penalty`` is the L2 coefficient of the step: the gradient used is g + penalty * w.
"""
from cython cimport floating
from libc.math cimport sqrt, sqrtf

from cymlp._engine.kernels.elements cimport add_scaled, scale

cdef enum RuleName:
    SGD, MOMENTUM, NESTEROV, ADAM
    N_RULES
    GRADIENT = N_RULES   # no update: it leaves the gradient behind, L2 penalty included

cdef extern from *:
    """
    typedef struct { const char *name; int n_states; } cymlp_rule;

    /* In the order of RuleName, with the vectors of the parameters' size that each carries on. */
    static inline const cymlp_rule *cymlp_rule_entry(int name) {
        static const cymlp_rule table[] = {
            {"sgd", 0}, {"momentum", 1}, {"nesterov", 1}, {"adam", 2}, {"", 0},
        };
        return &table[name];
    }
    """
    ctypedef struct rule_entry_t "cymlp_rule":
        const char *name
        int n_states
    const rule_entry_t *rule_entry "cymlp_rule_entry"(int name) noexcept nogil


cdef struct rule_t:
    RuleName name
    double learning_rate
    double weight_decay       # decoupled: of the weights themselves, at each update
    double clip_norm          # the longest gradient; 0 for any
    double momentum, beta_1, beta_2, epsilon
    long long n_updates
    double step_size          # of the present update, see ``begin_update``


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


cdef inline void begin_update(rule_t *rule) noexcept nogil:
    """Count an update; its step size is the learning rate, for Adam with both bias corrections."""
    rule.n_updates += 1
    rule.step_size = rule.learning_rate
    if rule.name == ADAM:
        rule.step_size = (
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
    cdef floating rate = <floating>rule.step_size
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

    The threshold is l1 times the step that the rule makes in the long run for a gradient of 1:
    the rate, divided by 1 - momentum, or by sqrt(v) + epsilon of each weight. Whatever the rule,
    the weights then come to rest where the loss with its penalty is least.

    A. Beck, M. Teboulle, "A fast iterative shrinkage-thresholding algorithm for linear inverse
    problems", SIAM J. Imaging Sciences 2, 2009; P. Melchior et al., "Proximal Adam: robust
    adaptive update scheme for constrained optimization", 2019, arXiv:1910.10094.
    """
    cdef floating threshold = <floating>(rule.step_size * l1), epsilon = <floating>rule.epsilon
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
