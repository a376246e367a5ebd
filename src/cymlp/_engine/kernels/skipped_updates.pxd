"""Updates without a gradient, many of them at once: what they make of weights that waited.

A row of weights whose feature no row of a mini-batch has gets the gradient 0, L2 penalty aside. The
row can wait until it is needed, and then catch up in closed form. An ``age`` is the number
of updates that a row has waited for; for each age a table has what catching up takes.

SGD and momentum are linear in weights w and velocity v. So are any number of their updates::

    w <- a w + b v,  v <- c w + e v

Adam is linear in w too, if it has no L2 penalty. The moments decay: with q = sqrt(beta_2), after s
updates m is beta_1^s m and sqrt(v) is q^s sqrt(v). With r = beta_1 / q and f_s the product of
what the later updates leave of the weights by decay, t updates are::

    w <- f_0 w - m sum_{s=1..t} f_s rate_s r^s / (sqrt(v) + epsilon q^-s)

With u = epsilon / (sqrt(v) + epsilon), at most 1, and x_s = q^-s - 1, which is small as long as no
row waits for long, 1 / (sqrt(v) + epsilon q^-s) is sum_j (-u x_s)^j / (sqrt(v) + epsilon). Hence::

    w <- f_0 w - m / (sqrt(v) + epsilon) sum_j C_j (-u)^j,  C_j = sum_s f_s rate_s r^s x_s^j

whose C_j are the same for all weights. The series ends where it has the precision of the weights.
"""
from cython cimport floating
from libc.math cimport sqrt

from cymlp._engine.kernels.update_rules cimport ADAM, MOMENTUM, NESTEROV, rule_t, sqrt_

cdef enum:
    MOST_AGE = 256
    FEWEST_AGES = 8    # below that, waiting gains too little
    MOST_TERMS = 16    # of Adam's series
    LINEAR_WIDTH = 4   # numbers of an age: a, b, c, e
    C_0 = 3            # for Adam f_0, beta_1^age, beta_2^age, and from here on C_j
    BLOCK = 64         # weights that catch up together


cdef struct skipping_t:
    # How rows wait under a rule; ages is 0 if they cannot.
    Py_ssize_t ages       # the most
    Py_ssize_t n_terms    # of Adam's series, at most,
    short[MOST_AGE + 1] n_needed    # and for each age
    Py_ssize_t width      # numbers of an age in a table
    double[(MOST_AGE + 1) * MOST_TERMS] terms   # (ages + 1, n_terms): r^s x_s^j


cdef inline bint converges(
    skipping_t *skipping, double beta_1, double beta_2, double precision
) noexcept nogil:
    """Fill in the terms; return whether so many of them have the precision at these ages."""
    cdef double q = sqrt(beta_2), power = 1, growth = 1, term
    cdef double[MOST_TERMS + 1] sums   # of the terms of each order over the ages so far
    cdef Py_ssize_t age, j, needed = 1
    for j in range(skipping.n_terms + 1):
        sums[j] = 0
    for age in range(skipping.ages + 1):
        term = power
        for j in range(skipping.n_terms + 1):
            if j < skipping.n_terms:
                skipping.terms[age * skipping.n_terms + j] = term
            sums[j] += term
            term *= growth - 1
        while needed <= skipping.n_terms and sums[needed] > precision * sums[0]:
            needed += 1
        skipping.n_needed[age] = <short>needed
        power *= beta_1 / q
        growth /= q
    return needed <= skipping.n_terms


cdef inline void plan_skipping(
    skipping_t *skipping, const rule_t *rule, double penalty, Py_ssize_t n_rows, double precision
) noexcept nogil:
    """Fill in how rows may wait, ``n_rows`` of them, under this rule and this L2 penalty."""
    skipping.ages = max(<Py_ssize_t>FEWEST_AGES, min(<Py_ssize_t>MOST_AGE, n_rows))
    skipping.n_terms, skipping.width = 0, LINEAR_WIDTH
    if rule.name != ADAM:
        return
    # With an L2 penalty the gradient is not 0, and Adam divides it by its own size.
    if penalty > 0 or rule.epsilon <= 0 or rule.beta_2 <= 0:
        skipping.ages = 0
    while skipping.ages > 0:
        skipping.n_terms = 1
        while skipping.n_terms <= MOST_TERMS:
            if converges(skipping, rule.beta_1, rule.beta_2, precision):
                skipping.width = C_0 + skipping.n_terms
                return
            skipping.n_terms += 1
        skipping.ages //= 2
        if skipping.ages < FEWEST_AGES:
            skipping.ages = 0


cdef inline void begin_table(const skipping_t *skipping, double *table) noexcept nogil:
    """table (ages + 1, width): of age 0, which leaves all as it is."""
    cdef Py_ssize_t j
    for j in range(skipping.width):
        table[j] = 0
    table[0] = 1
    if skipping.n_terms > 0:
        table[1] = table[2] = 1
    else:
        table[3] = 1


cdef inline void linear_update(
    const rule_t *rule, double penalty, double decay, double *update
) noexcept nogil:
    """update (4,) <- a, b, c, e of one update of SGD or momentum without a gradient."""
    cdef double shrinks = rule.step_size * penalty, keeps = 1 - rule.learning_rate * decay
    cdef double momentum = rule.momentum
    update[0], update[1], update[2], update[3] = keeps - shrinks, 0, 0, 1
    if rule.name == MOMENTUM:
        update[1], update[2], update[3] = momentum, -shrinks, momentum
    elif rule.name == NESTEROV:
        update[0] -= momentum * shrinks
        update[1], update[2], update[3] = momentum * momentum, -shrinks, momentum


cdef inline void add_update(
    const skipping_t *skipping, const rule_t *rule, double penalty, double decay,
    Py_ssize_t n_updates, double *table,
) noexcept nogil:
    """The table of every age after one more update; ``n_updates`` were before it."""
    cdef Py_ssize_t width = skipping.width, n_terms = skipping.n_terms, age, j
    cdef double keeps = 1 - rule.learning_rate * decay
    cdef double[LINEAR_WIDTH] update
    cdef const double *old
    cdef double *new
    linear_update(rule, penalty, decay, update)
    for age in range(min(skipping.ages, n_updates + 1), 0, -1):
        old, new = table + (age - 1) * width, table + age * width
        if n_terms == 0:
            new[0] = update[0] * old[0] + update[1] * old[2]
            new[1] = update[0] * old[1] + update[1] * old[3]
            new[2] = update[2] * old[0] + update[3] * old[2]
            new[3] = update[2] * old[1] + update[3] * old[3]
            continue
        new[0], new[1], new[2] = keeps * old[0], rule.beta_1 * old[1], rule.beta_2 * old[2]
        for j in range(n_terms):
            new[C_0 + j] = keeps * old[C_0 + j] + (
                rule.step_size * skipping.terms[age * n_terms + j]
            )


cdef inline void catch_up_linear(
    const rule_t *rule, const double *table, const int *ages, Py_ssize_t n, Py_ssize_t h,
    floating *w, floating *v,
) noexcept nogil:
    """w <- a w + b v, v <- c w + e v, for rows (n, h) of these ages (n,)."""
    cdef bint has_velocity = rule.name == MOMENTUM or rule.name == NESTEROV
    cdef const double *entry
    cdef floating a, b, c, e, before
    cdef Py_ssize_t row, i
    for row in range(n):
        entry = table + ages[row] * LINEAR_WIDTH
        a, b = <floating>entry[0], <floating>entry[1]
        c, e = <floating>entry[2], <floating>entry[3]
        if not has_velocity:
            for i in range(row * h, (row + 1) * h):
                w[i] *= a
            continue
        for i in range(row * h, (row + 1) * h):
            before = w[i]
            w[i] = a * before + b * v[i]
            v[i] = c * before + e * v[i]


cdef inline void catch_up_adam(
    const skipping_t *skipping, const rule_t *rule, const double *table, const int *ages,
    Py_ssize_t n, Py_ssize_t h, floating *w, floating *m, floating *v,
) noexcept nogil:
    """w <- f_0 w - m / (sqrt(v) + epsilon) sum_{j < n_terms} C_j (-u)^j; both moments decay.

    For rows (n, h) of these ages (n,): one, or several with ``BLOCK`` weights at most.
    """
    cdef floating keep, keep_m, keep_v, epsilon = <floating>rule.epsilon, C
    cdef floating[BLOCK] u, direction, series
    cdef const double *entry
    cdef Py_ssize_t start = 0, n_weights, row, first, last, i, j
    while start < n * h:
        n_weights = min(<Py_ssize_t>BLOCK, n * h - start)
        for i in range(n_weights):
            u[i] = 1 / (sqrt_(v[start + i]) + epsilon)
            direction[i] = m[start + i] * u[i]
            u[i] *= -epsilon
            series[i] = 0
        for row in range(n):
            first, last = row * h, n_weights if n == 1 else (row + 1) * h
            entry = table + ages[row] * skipping.width
            for j in range(skipping.n_needed[ages[row]] - 1, -1, -1):
                C = <floating>entry[C_0 + j]
                for i in range(first, last):
                    series[i] = series[i] * u[i] + C
            keep, keep_m, keep_v = <floating>entry[0], <floating>entry[1], <floating>entry[2]
            for i in range(first, last):
                w[start + i] = keep * w[start + i] - direction[i] * series[i]
                m[start + i] *= keep_m
                v[start + i] *= keep_v
        start += n_weights


cdef inline void catch_up(
    const skipping_t *skipping, const rule_t *rule, const double *table, const int *ages,
    Py_ssize_t n, Py_ssize_t h, floating *w, floating *state, Py_ssize_t n_parameters,
) noexcept nogil:
    """Rows w (n, h) and their part of the state after ``ages`` (n,) updates without a gradient.

    One row, or several with ``BLOCK`` weights at most: age 0 changes nothing, but among several
    it takes no branch, as none could be predicted.
    """
    if n == 1 and ages[0] == 0:
        return
    if skipping.n_terms == 0:
        catch_up_linear(rule, table, ages, n, h, w, state)
    else:
        catch_up_adam(skipping, rule, table, ages, n, h, w, state, state + n_parameters)
