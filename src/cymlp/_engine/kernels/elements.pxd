"""Plain loops over elements. Everything is row-major and contiguous."""
from cython cimport floating


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


cdef inline void multiply(floating *y, const floating *x, Py_ssize_t size) noexcept nogil:
    """y (size,) <- y * x, element by element."""
    cdef Py_ssize_t i
    for i in range(size):
        y[i] *= x[i]


cdef inline void smooth(floating *T, Py_ssize_t size, floating part, floating floor) noexcept nogil:
    """T (size,) <- (1 - part) T + floor."""
    cdef floating one = 1
    cdef Py_ssize_t i
    for i in range(size):
        T[i] = (one - part) * T[i] + floor
