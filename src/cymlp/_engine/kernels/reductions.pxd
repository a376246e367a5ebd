"""Sums over elements: of a vector, or of the rows of a matrix."""
from cython cimport floating

cdef extern from *:
    """
    #include "vectors.h"
    #define REAL float
    #define SUFFIX _float
    #include "reductions.h"
    #define REAL double
    #define SUFFIX _double
    #include "reductions.h"
    """
    float float_squared_norm "cymlp_squared_norm_float"(
        const float *x, Py_ssize_t size
    ) noexcept nogil
    double double_squared_norm "cymlp_squared_norm_double"(
        const double *x, Py_ssize_t size
    ) noexcept nogil
    bint float_are_finite "cymlp_are_finite_float"(
        const float *x, Py_ssize_t size
    ) noexcept nogil
    bint double_are_finite "cymlp_are_finite_double"(
        const double *x, Py_ssize_t size
    ) noexcept nogil

cdef enum:
    CHAINS = 16   # of a sum, which grow independently of each other


cdef inline double squared_norm(const floating *w, Py_ssize_t size) noexcept nogil:
    """|w|^2 = sum of the squares of w (size,)."""
    if floating is float:
        return float_squared_norm(w, size)
    else:
        return double_squared_norm(w, size)


cdef inline bint are_finite(
    const floating *X, Py_ssize_t n, Py_ssize_t d, Py_ssize_t stride
) noexcept nogil:
    """Whether X (n, d), whose rows are ``stride`` apart, has neither NaN nor infinity."""
    cdef Py_ssize_t i
    cdef bint finite = True
    for i in range(n):
        if floating is float:
            finite &= float_are_finite(X + i * stride, d)
        else:
            finite &= double_are_finite(X + i * stride, d)
    return finite


cdef inline double absolute_sum(const floating *w, Py_ssize_t size) noexcept nogil:
    """|w|_1 = sum of the sizes of w (size,), in chains that a compiler makes vectors of."""
    cdef floating[CHAINS] sums
    cdef double total = 0
    cdef Py_ssize_t i = 0, j
    for j in range(CHAINS):
        sums[j] = 0
    while i + CHAINS <= size:
        for j in range(CHAINS):
            sums[j] += w[i + j] if w[i + j] > 0 else -w[i + j]
        i += CHAINS
    for j in range(CHAINS):
        total += sums[j]
    for i in range(i, size):
        total += w[i] if w[i] > 0 else -w[i]
    return total


cdef inline double dot(const floating *w, const floating *v, Py_ssize_t size) noexcept nogil:
    """w v = sum of the products of w and v (size,), in chains like those of ``absolute_sum``."""
    cdef double[CHAINS] sums
    cdef double total = 0
    cdef Py_ssize_t i = 0, j
    for j in range(CHAINS):
        sums[j] = 0
    while i + CHAINS <= size:
        for j in range(CHAINS):
            sums[j] += <double>w[i + j] * v[i + j]
        i += CHAINS
    for j in range(CHAINS):
        total += sums[j]
    for i in range(i, size):
        total += <double>w[i] * v[i]
    return total


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
