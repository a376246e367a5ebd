"""Element loops: activations, their derivatives, and each loss with its delta.

Shapes as in ``engine.pyx``: n rows, h columns, everything row-major and contiguous.
The choice of a variant stands outside the loops. Every loop lets NaN through, so that a
diverging fit shows itself.
"""
from cython cimport floating
from libc.math cimport log

from cymlp._engine.kernels.elementary cimport exp_, tanh_

cdef enum Activation:
    IDENTITY, LOGISTIC, TANH, RELU

# An output's name says its loss too: each is the canonical link of one loss.
cdef enum Output:
    IDENTITY_SQUARED_ERROR, EXP_POISSON, LOGISTIC_LOG_LOSS, SOFTMAX_LOG_LOSS

cdef extern from "<float.h>":
    const float FLT_EPSILON
    const double DBL_EPSILON


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


cdef inline void add_parts(
    const floating *P, Py_ssize_t n_parts, Py_ssize_t distance, const floating *b,
    Py_ssize_t n, Py_ssize_t h, floating *Z,
) noexcept nogil:
    """Z (n, h) <- b (h,) + sum of the parts P (n, h), two or more, ``distance`` apart."""
    cdef Py_ssize_t i, j, part
    for i in range(n * h if n_parts > 2 else 0):
        Z[i] = P[2 * distance + i]
    for part in range(3, n_parts):
        for i in range(n * h):
            Z[i] += P[part * distance + i]
    for i in range(n):
        for j in range(h):
            Z[i * h + j] = (
                b[j] + P[i * h + j] + P[distance + i * h + j]
                + (Z[i * h + j] if n_parts > 2 else 0)
            )


cdef inline void column_sums(
    const floating *D, Py_ssize_t n, Py_ssize_t h, Py_ssize_t stride, floating *s
) noexcept nogil:
    """s (h,) <- sum of the rows of D (n, h), which are ``stride`` elements apart."""
    cdef Py_ssize_t i, j
    for j in range(h):
        s[j] = 0
    for i in range(n):
        for j in range(h):
            s[j] += D[i * stride + j]


cdef inline void logistic(floating *Z, Py_ssize_t size) noexcept nogil:
    """Z (size,) <- 1 / (1 + e^-Z); e^-Z may overflow to inf, which gives 0 as it should."""
    cdef floating one = 1   # Cython's 1 is a double beside a float
    cdef Py_ssize_t i
    for i in range(size):
        Z[i] = one / (one + exp_(-Z[i]))


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
    cdef floating one = 1
    cdef Py_ssize_t i
    if f == LOGISTIC:
        for i in range(size):
            D[i] *= A[i] * (one - A[i])
    elif f == TANH:
        for i in range(size):
            D[i] *= one - A[i] * A[i]
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


cdef inline void link(Output output, floating *Z, Py_ssize_t n, Py_ssize_t h) noexcept nogil:
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


cdef inline double output_delta(
    Output output, floating *Z, const floating *T, const floating *w, Py_ssize_t n, Py_ssize_t h
) noexcept nogil:
    """Z (n, h) <- D = w dloss/dZ for the targets T (n, h); return sum_i w_i loss_i.

    w (n,) are the weights of the rows, or NULL where all are 1.
    """
    cdef double total = 0, loss
    cdef floating weight = 1
    cdef Py_ssize_t i
    if output != EXP_POISSON:   # whose loss is told from z
        link(output, Z, n, h)
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
