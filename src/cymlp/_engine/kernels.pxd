"""Element loops: activations, their derivatives, and each loss with its delta.

Shapes as in ``engine.pyx``: n rows, h columns, everything row-major and contiguous.
The choice of a variant stands outside the loops. Every loop lets NaN through, so that a
diverging fit shows itself.
"""
from cython cimport floating
from libc.math cimport log

from cymlp._engine.elementary cimport exp_, tanh_

cdef enum Activation:
    IDENTITY, LOGISTIC, TANH, RELU

# An output's name says its loss too: each is the canonical link of one loss.
cdef enum Output:
    IDENTITY_SQUARED_ERROR, EXP_POISSON, LOGISTIC_LOG_LOSS, SOFTMAX_LOG_LOSS

cdef extern from "<float.h>":
    const float FLT_EPSILON
    const double DBL_EPSILON


cdef inline void add_bias(
    floating *Z, const floating *b, Py_ssize_t n, Py_ssize_t h
) noexcept nogil:
    """Z (n, h) <- Z + b, b (h,) added to every row."""
    cdef Py_ssize_t i, j
    for i in range(n):
        for j in range(h):
            Z[i * h + j] += b[j]


cdef inline void scale(floating *x, Py_ssize_t size, floating factor) noexcept nogil:
    """x (size,) <- factor x; what stood there does not matter where factor is 0, be it NaN."""
    cdef Py_ssize_t i
    for i in range(size if factor != 1 else 0):
        x[i] = factor * x[i] if factor != 0 else 0


cdef inline void add_scaled(
    floating *y, floating factor, const floating *x, Py_ssize_t size
) noexcept nogil:
    """y (size,) <- y + factor x."""
    cdef Py_ssize_t i
    for i in range(size):
        y[i] += factor * x[i]


cdef inline void column_sums(
    const floating *D, Py_ssize_t n, Py_ssize_t h, floating *s
) noexcept nogil:
    """s (h,) <- sum of the rows of D (n, h)."""
    cdef Py_ssize_t i, j
    for j in range(h):
        s[j] = 0
    for i in range(n):
        for j in range(h):
            s[j] += D[i * h + j]


cdef inline floating squared_norm(const floating *w, Py_ssize_t size) noexcept nogil:
    """|w|^2 = sum of the squares of w (size,), in eight partial sums that vectorise."""
    cdef floating s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0
    cdef Py_ssize_t i, body = size - size % 8
    for i in range(0, body, 8):
        s0 += w[i] * w[i]
        s1 += w[i + 1] * w[i + 1]
        s2 += w[i + 2] * w[i + 2]
        s3 += w[i + 3] * w[i + 3]
        s4 += w[i + 4] * w[i + 4]
        s5 += w[i + 5] * w[i + 5]
        s6 += w[i + 6] * w[i + 6]
        s7 += w[i + 7] * w[i + 7]
    for i in range(body, size):
        s0 += w[i] * w[i]
    return ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))


cdef inline void logistic(floating *Z, Py_ssize_t size) noexcept nogil:
    """Z (size,) <- 1 / (1 + e^-Z); e^-Z may overflow to inf, which gives 0 as it should."""
    cdef Py_ssize_t i
    for i in range(size):
        Z[i] = 1 / (1 + exp_(-Z[i]))


cdef inline void activate(Activation f, floating *Z, Py_ssize_t size) noexcept nogil:
    """A = f(Z) in place, Z (size,)."""
    cdef Py_ssize_t i
    if f == LOGISTIC:
        logistic(Z, size)
    elif f == TANH:
        for i in range(size):
            Z[i] = tanh_(Z[i])
    elif f == RELU:
        for i in range(size):
            Z[i] = 0 if Z[i] < 0 else Z[i]


cdef inline void multiply_derivative(
    Activation f, const floating *A, floating *D, Py_ssize_t size
) noexcept nogil:
    """D (size,) <- D * f'(Z), told from the outputs A = f(Z) (size,) alone."""
    cdef Py_ssize_t i
    if f == LOGISTIC:
        for i in range(size):
            D[i] *= A[i] * (1 - A[i])
    elif f == TANH:
        for i in range(size):
            D[i] *= 1 - A[i] * A[i]
    elif f == RELU:
        for i in range(size):
            D[i] = 0 if A[i] == 0 else D[i]


cdef inline floating row_max(const floating *z, Py_ssize_t h) noexcept nogil:
    """The largest of z (h,)."""
    cdef floating largest = z[0]
    cdef Py_ssize_t j
    for j in range(1, h):
        largest = z[j] if z[j] > largest else largest
    return largest


cdef inline void softmax_row(floating *z, Py_ssize_t h) noexcept nogil:
    """z (h,) <- e^(z - m) / sum_j e^(z_j - m), m the largest of z: no power overflows."""
    cdef floating largest = row_max(z, h), total = 0
    cdef Py_ssize_t j
    for j in range(h):
        z[j] = exp_(z[j] - largest)
        total += z[j]
    for j in range(h):
        z[j] /= total


cdef inline void link(Output output, floating *Z, Py_ssize_t n, Py_ssize_t h) noexcept nogil:
    """Z (n, h) <- the network's outputs: Z, e^Z, 1 / (1 + e^-Z) or the rows' softmax."""
    cdef Py_ssize_t i
    if output == EXP_POISSON:
        for i in range(n * h):
            Z[i] = exp_(Z[i])
    elif output == LOGISTIC_LOG_LOSS:
        logistic(Z, n * h)
    elif output == SOFTMAX_LOG_LOSS:
        for i in range(n):
            softmax_row(Z + i * h, h)


cdef inline double minus_log(floating p) noexcept nogil:
    """-log p, for p clipped to [epsilon, 1 - epsilon] of its dtype as scikit-learn does."""
    cdef floating epsilon = FLT_EPSILON if floating is float else DBL_EPSILON
    if p < epsilon:
        p = epsilon
    elif p > 1 - epsilon:
        p = 1 - epsilon
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
    floating *z, const floating *t, floating w, Py_ssize_t h
) noexcept nogil:
    """z (h,) <- w (p - t), p = 1 / (1 + e^-z); return -sum_j t log p + (1 - t) log(1 - p)."""
    cdef double loss = 0
    cdef Py_ssize_t j
    logistic(z, h)
    for j in range(h):
        if t[j] != 0:
            loss += t[j] * minus_log(z[j])
        if t[j] != 1:
            loss += (1 - t[j]) * minus_log(1 - z[j])
        z[j] = w * (z[j] - t[j])
    return loss


cdef inline double softmax_log_loss_row(
    floating *z, const floating *t, floating w, Py_ssize_t h
) noexcept nogil:
    """z (h,) <- w (p - t), p = softmax(z); return -sum_j t log p."""
    cdef double loss = 0
    cdef Py_ssize_t j
    softmax_row(z, h)
    for j in range(h):
        if t[j] != 0:
            loss += t[j] * minus_log(z[j])
        z[j] = w * (z[j] - t[j])
    return loss


cdef inline double output_delta(
    Output output, floating *Z, const floating *T, const floating *w, Py_ssize_t n, Py_ssize_t h
) noexcept nogil:
    """Z (n, h) <- D = w dloss/dZ for the targets T (n, h); return sum_i w_i loss_i.

    w (n,) are the weights of the rows, or NULL where all are 1.
    """
    cdef double total = 0, loss
    cdef floating weight = 1
    cdef Py_ssize_t i
    for i in range(n):
        if w != NULL:
            weight = w[i]
        if output == IDENTITY_SQUARED_ERROR:
            loss = squared_error_row(Z + i * h, T + i * h, weight, h)
        elif output == EXP_POISSON:
            loss = poisson_row(Z + i * h, T + i * h, weight, h)
        elif output == LOGISTIC_LOG_LOSS:
            loss = logistic_log_loss_row(Z + i * h, T + i * h, weight, h)
        else:
            loss = softmax_log_loss_row(Z + i * h, T + i * h, weight, h)
        total += weight * loss
    return total
