"""Output activations and losses, and the deltas of both together.

To add a loss: an entry in ``Loss`` and in the table below it, a function of a row, and a branch in
``loss_and_delta``.

The letters are those of ``engine.pyx``: n rows, h columns, everything row-major and contiguous. The
choice of a variant stands outside the loops. Every loop lets NaN through, so that a diverging
fit shows itself.
"""
from cython cimport floating
from libc.math cimport log

from cymlp._engine.kernels.activations cimport LOGISTIC, activate
from cymlp._engine.kernels.elementary cimport exp_

cdef enum OutputActivation:
    OUTPUT_IDENTITY, OUTPUT_EXP, OUTPUT_LOGISTIC, OUTPUT_SOFTMAX
    N_OUTPUT_ACTIVATIONS

# The softmax, the logistic function, e^z and z are the canonical links of log_loss, poisson and
# squared_error: the delta is w (output - target). The other losses take z itself, as the mean
# is not what minimises them.
cdef enum Loss:
    NO_LOSS, SQUARED_ERROR, POISSON, ABSOLUTE_ERROR, HUBER, QUANTILE, LOG_LOSS
    N_LOSSES

cdef extern from *:
    """
    typedef struct { const char *name; const char *output_activations; } cymlp_loss;

    /* In the order of OutputActivation. */
    static inline const char *cymlp_output_activation_name(int f) {
        static const char *const names[] = {"identity", "exp", "logistic", "softmax"};
        return names[f];
    }

    /* In the order of Loss, with the output activations that each goes with. */
    static inline const cymlp_loss *cymlp_loss_entry(int loss) {
        static const cymlp_loss table[] = {
            {"", ""}, {"squared_error", "identity"}, {"poisson", "exp"},
            {"absolute_error", "identity"}, {"huber", "identity"}, {"quantile", "identity"},
            {"log_loss", "logistic softmax"},
        };
        return &table[loss];
    }
    """
    ctypedef struct loss_t "cymlp_loss":
        const char *name
        const char *output_activations
    const char *output_activation_name "cymlp_output_activation_name"(int f) noexcept nogil
    const loss_t *loss_entry "cymlp_loss_entry"(int loss) noexcept nogil

cdef extern from "<float.h>":
    const float FLT_EPSILON
    const double DBL_EPSILON


cdef inline floating row_max(const floating *z, Py_ssize_t h) noexcept nogil:
    """The largest of z (h,)."""
    cdef floating largest = z[0]
    cdef Py_ssize_t j
    for j in range(1, h):
        largest = z[j] if z[j] > largest else largest
    return largest


cdef inline void softmax(floating *Z, Py_ssize_t n, Py_ssize_t h) noexcept nogil:
    """Z (n, h) <- e^(Z - m) / sum_j e^(Z_j - m), m the largest of a row: no power overflows.

    The powers are taken of all rows together: a row alone may not fill a vector.
    """
    cdef floating largest, total, one = 1
    cdef floating *z
    cdef Py_ssize_t i, j
    for i in range(n):
        z = Z + i * h
        largest = row_max(z, h)
        for j in range(h):
            z[j] -= largest
    for i in range(n * h):
        Z[i] = exp_(Z[i])
    for i in range(n):
        z = Z + i * h
        total = 0
        for j in range(h):
            total += z[j]
        total = one / total
        for j in range(h):
            z[j] *= total


cdef inline void apply_output_activation(
    OutputActivation f, floating *Z, Py_ssize_t n, Py_ssize_t h
) noexcept nogil:
    """Z (n, h) <- the network's outputs: Z, e^Z, 1 / (1 + e^-Z) or the rows' softmax."""
    cdef Py_ssize_t i
    if f == OUTPUT_EXP:
        for i in range(n * h):
            Z[i] = exp_(Z[i])
    elif f == OUTPUT_LOGISTIC:
        activate(LOGISTIC, Z, n * h)
    elif f == OUTPUT_SOFTMAX:
        softmax(Z, n, h)


cdef inline double minus_log(floating p) noexcept nogil:
    """-log p, for p clipped to [epsilon, 1 - epsilon] of its dtype as scikit-learn does."""
    cdef floating epsilon = FLT_EPSILON if floating is float else DBL_EPSILON
    cdef floating most = <floating>(1 - epsilon)
    if p < epsilon:
        p = epsilon
    elif p > most:
        p = most
    return -log(p)


cdef inline double squared_error_row(
    floating *z, const floating *t, floating w, Py_ssize_t h
) noexcept nogil:
    """z (h,) <- w (z - t); return 1/2 |z - t|^2 / h.

    scikit-learn's loss is the mean over the outputs, its gradient that of the sum.
    """
    cdef double loss = 0
    cdef floating residual
    cdef Py_ssize_t j
    for j in range(h):
        residual = z[j] - t[j]
        loss += <double>residual * residual
        z[j] = w * residual
    return 0.5 * loss / h


cdef inline double poisson_row(
    floating *z, const floating *t, floating w, Py_ssize_t h
) noexcept nogil:
    """z (h,) <- w (e^z - t); return sum_j t log t - t z - t + e^z, half the deviance."""
    cdef double loss = 0
    cdef floating mean
    cdef Py_ssize_t j
    for j in range(h):
        mean = exp_(z[j])
        loss += mean - t[j]
        if t[j] > 0:
            loss += t[j] * (log(t[j]) - z[j])
        z[j] = w * (mean - t[j])
    return loss


cdef inline double logistic_log_loss_row(
    floating *p, const floating *t, floating w, Py_ssize_t h
) noexcept nogil:
    """p (h,) <- w (p - t), p = 1 / (1 + e^-z); return -sum_j t log p + (1 - t) log(1 - p)."""
    cdef double loss = 0
    cdef floating one = 1
    cdef Py_ssize_t j
    for j in range(h):
        if t[j] != 0:
            loss += t[j] * minus_log(p[j])
        if t[j] != 1:
            loss += (one - t[j]) * minus_log(one - p[j])
        p[j] = w * (p[j] - t[j])
    return loss


cdef inline double softmax_log_loss_row(
    floating *p, const floating *t, floating w, Py_ssize_t h
) noexcept nogil:
    """p (h,) <- w (p - t), p = softmax(z); return -sum_j t log p."""
    cdef double loss = 0
    cdef Py_ssize_t j
    for j in range(h):
        if t[j] != 0:
            loss += t[j] * minus_log(p[j])
    for j in range(h):
        p[j] = w * (p[j] - t[j])
    return loss


cdef inline double huber_row(
    floating *z, const floating *t, floating w, Py_ssize_t h, floating limit
) noexcept nogil:
    """z (h,) <- w times z - t within the limit, +-limit outside; return the sum of the losses.

    r = z - t costs r^2 / 2 within, limit (|r| - limit / 2) outside (P. J. Huber, 1964).
    """
    cdef double loss = 0
    cdef floating residual, derivative
    cdef Py_ssize_t j
    for j in range(h):
        residual = z[j] - t[j]
        derivative = limit if residual > limit else -limit if residual < -limit else residual
        loss += <double>derivative * (residual - <floating>0.5 * derivative)
        z[j] = w * derivative
    return loss


cdef inline double pinball_row(
    floating *z, const floating *t, floating w, Py_ssize_t h, floating under, floating over
) noexcept nogil:
    """z (h,) <- -w under where z <= t, else w over; return the sum of the losses.

    r = t - z costs under r where the prediction is below the target, else over |r|: with
    q and 1 - q it is least at the q-quantile (R. Koenker, G. Bassett, 1978).
    """
    cdef double loss = 0
    cdef floating residual, derivative
    cdef Py_ssize_t j
    for j in range(h):
        residual = z[j] - t[j]
        derivative = over if residual > 0 else -under if residual <= 0 else residual
        loss += <double>derivative * residual
        z[j] = w * derivative
    return loss


cdef inline Py_ssize_t argmax(const floating *z, Py_ssize_t h) noexcept nogil:
    """Where the first of the largest of z (h,) stands."""
    cdef Py_ssize_t j, best = 0
    for j in range(1, h):
        if z[j] > z[best]:
            best = j
    return best


cdef inline bint is_correct(
    OutputActivation f, const floating *p, const floating *t, Py_ssize_t h
) noexcept nogil:
    """Whether the class, or the label of each output, of the probabilities p (h,) is t's."""
    cdef Py_ssize_t j
    if f == OUTPUT_SOFTMAX:
        return argmax(p, h) == argmax(t, h)
    for j in range(h):
        if (p[j] > 0.5) != (t[j] > 0.5):
            return False
    return True


cdef inline void add_scores(
    OutputActivation f, Loss loss, const floating *Z, const floating *T, const floating *w,
    Py_ssize_t n, Py_ssize_t h, double *scores,
) noexcept nogil:
    """scores (h,) <- scores + what the training score is computed from.

    For probabilities Z, scores[0] is the weight of the rows that are classified correctly; else
    each is its output's sum of w (prediction - t)^2.
    """
    cdef Py_ssize_t i, j
    cdef double weight = 1, residual
    for i in range(n):
        if w != NULL:
            weight = w[i]
        if loss == LOG_LOSS:
            scores[0] += weight * is_correct(f, Z + i * h, T + i * h, h)
            continue
        for j in range(h):
            residual = exp_(Z[i * h + j]) if f == OUTPUT_EXP else Z[i * h + j]
            residual -= T[i * h + j]
            scores[j] += weight * residual * residual


cdef inline double loss_and_delta(
    OutputActivation f, Loss loss, double parameter, floating *Z, const floating *T,
    const floating *w, Py_ssize_t n, Py_ssize_t h, double *scores,
) noexcept nogil:
    """Z (n, h) <- D = w dloss/dZ for the targets T (n, h); return sum_i w_i loss_i.

    w (n,) are the weights of the rows, or NULL where all are 1. ``parameter`` is the quantile
    of the quantile loss, or where Huber's loss changes its form. See ``add_scores`` for
    ``scores``, or NULL.
    """
    cdef double total = 0, row_loss
    cdef floating weight = 1, value = <floating>parameter, one = 1
    cdef Py_ssize_t i
    if loss != POISSON:   # which is computed from z
        apply_output_activation(f, Z, n, h)
    if scores != NULL:
        add_scores(f, loss, Z, T, w, n, h, scores)
    for i in range(n):
        if w != NULL:
            weight = w[i]
        if loss == SQUARED_ERROR:
            row_loss = squared_error_row(Z + i * h, T + i * h, weight, h)
        elif loss == POISSON:
            row_loss = poisson_row(Z + i * h, T + i * h, weight, h)
        elif loss == ABSOLUTE_ERROR:
            row_loss = pinball_row(Z + i * h, T + i * h, weight, h, one, one)
        elif loss == HUBER:
            row_loss = huber_row(Z + i * h, T + i * h, weight, h, value)
        elif loss == QUANTILE:
            row_loss = pinball_row(Z + i * h, T + i * h, weight, h, value, one - value)
        elif f == OUTPUT_LOGISTIC:
            row_loss = logistic_log_loss_row(Z + i * h, T + i * h, weight, h)
        else:
            row_loss = softmax_log_loss_row(Z + i * h, T + i * h, weight, h)
        total += weight * row_loss
    return total
