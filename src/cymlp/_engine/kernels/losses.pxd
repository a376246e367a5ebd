"""Each output activation with its loss, and their delta.

Shapes as in ``engine.pyx``: n rows, h columns, everything row-major and contiguous. The
choice of a variant stands outside the loops. Every loop lets NaN through, so that a diverging
fit shows itself.
"""
from cython cimport floating
from libc.math cimport log

from cymlp._engine.kernels.activations cimport logistic
from cymlp._engine.kernels.elementary cimport exp_

# An output activation and a loss. The softmax, the logistic function, e^z and z are the
# canonical links of their losses, whose delta is w (output - target); the last three take z
# itself, as the losses of what is not the mean.
cdef enum Output:
    IDENTITY_SQUARED_ERROR, EXP_POISSON, LOGISTIC_LOG_LOSS, SOFTMAX_LOG_LOSS
    IDENTITY_ABSOLUTE_ERROR, IDENTITY_HUBER, IDENTITY_QUANTILE

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


cdef inline void apply_output_activation(Output output, floating *Z, Py_ssize_t n, Py_ssize_t h) noexcept nogil:
    """Z (n, h) <- the network's outputs: Z, e^Z, 1 / (1 + e^-Z) or the rows' softmax."""
    cdef Py_ssize_t i
    if output == EXP_POISSON:
        for i in range(n * h):
            Z[i] = exp_(Z[i])
    elif output == LOGISTIC_LOG_LOSS:
        logistic(Z, n * h)
    elif output == SOFTMAX_LOG_LOSS:
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
    cdef floating residual, slope
    cdef Py_ssize_t j
    for j in range(h):
        residual = z[j] - t[j]
        slope = limit if residual > limit else -limit if residual < -limit else residual
        loss += <double>slope * (residual - <floating>0.5 * slope)
        z[j] = w * slope
    return loss


cdef inline double pinball_row(
    floating *z, const floating *t, floating w, Py_ssize_t h, floating under, floating over
) noexcept nogil:
    """z (h,) <- -w under where z <= t, else w over; return the sum of the losses.

    r = t - z costs under r where the prediction is below the target, else over |r|: with
    q and 1 - q it is least at the q-quantile (R. Koenker, G. Bassett, 1978).
    """
    cdef double loss = 0
    cdef floating residual, slope
    cdef Py_ssize_t j
    for j in range(h):
        residual = z[j] - t[j]
        slope = over if residual > 0 else -under if residual <= 0 else residual
        loss += <double>slope * residual
        z[j] = w * slope
    return loss


cdef inline Py_ssize_t argmax(const floating *z, Py_ssize_t h) noexcept nogil:
    """Where the first of the largest of z (h,) stands."""
    cdef Py_ssize_t j, best = 0
    for j in range(1, h):
        if z[j] > z[best]:
            best = j
    return best


cdef inline bint is_correct(
    Output output, const floating *p, const floating *t, Py_ssize_t h
) noexcept nogil:
    """Whether the class, or the label of each output, of the probabilities p (h,) is t's."""
    cdef Py_ssize_t j
    if output == SOFTMAX_LOG_LOSS:
        return argmax(p, h) == argmax(t, h)
    for j in range(h):
        if (p[j] > 0.5) != (t[j] > 0.5):
            return False
    return True


cdef inline void add_scores(
    Output output, const floating *Z, const floating *T, const floating *w, Py_ssize_t n,
    Py_ssize_t h, double *scores,
) noexcept nogil:
    """scores (h,) <- scores + what the training score is told from.

    For probabilities Z, scores[0] is the weight of the rows that are classified rightly; else
    each is its output's sum of w (prediction - t)^2.
    """
    cdef Py_ssize_t i, j
    cdef double weight = 1, residual
    for i in range(n):
        if w != NULL:
            weight = w[i]
        if output == SOFTMAX_LOG_LOSS or output == LOGISTIC_LOG_LOSS:
            scores[0] += weight * is_correct(output, Z + i * h, T + i * h, h)
            continue
        for j in range(h):
            residual = exp_(Z[i * h + j]) if output == EXP_POISSON else Z[i * h + j]
            residual -= T[i * h + j]
            scores[j] += weight * residual * residual


cdef inline double loss_and_delta(
    Output output, double parameter, floating *Z, const floating *T, const floating *w,
    Py_ssize_t n, Py_ssize_t h, double *scores,
) noexcept nogil:
    """Z (n, h) <- D = w dloss/dZ for the targets T (n, h); return sum_i w_i loss_i.

    w (n,) are the weights of the rows, or NULL where all are 1. ``parameter`` is the quantile
    of the quantile loss, or where Huber's loss changes its form. See ``add_scores`` for
    ``scores``, or NULL.
    """
    cdef double total = 0, loss
    cdef floating weight = 1, value = <floating>parameter, one = 1
    cdef Py_ssize_t i
    if output != EXP_POISSON:   # whose loss is told from z
        apply_output_activation(output, Z, n, h)
    if scores != NULL:
        add_scores(output, Z, T, w, n, h, scores)
    for i in range(n):
        if w != NULL:
            weight = w[i]
        if output == IDENTITY_SQUARED_ERROR:
            loss = squared_error_row(Z + i * h, T + i * h, weight, h)
        elif output == EXP_POISSON:
            loss = poisson_row(Z + i * h, T + i * h, weight, h)
        elif output == LOGISTIC_LOG_LOSS:
            loss = logistic_log_loss_row(Z + i * h, T + i * h, weight, h)
        elif output == SOFTMAX_LOG_LOSS:
            loss = softmax_log_loss_row(Z + i * h, T + i * h, weight, h)
        elif output == IDENTITY_ABSOLUTE_ERROR:
            loss = pinball_row(Z + i * h, T + i * h, weight, h, one, one)
        elif output == IDENTITY_HUBER:
            loss = huber_row(Z + i * h, T + i * h, weight, h, value)
        else:
            loss = pinball_row(Z + i * h, T + i * h, weight, h, value, one - value)
        total += weight * loss
    return total
