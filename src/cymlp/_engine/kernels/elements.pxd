"""Plain loops over elements: sums, multiples. Everything is row-major and contiguous."""
from cython cimport floating

cdef enum:
    PARTS = 16   # of a sum, that grow independently of each other


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


cdef inline double absolute_sum(const floating *w, Py_ssize_t size) noexcept nogil:
    """|w|_1 = sum of the sizes of w (size,), by parts that a compiler makes vectors of."""
    cdef floating[PARTS] sums
    cdef double total = 0
    cdef Py_ssize_t i = 0, j
    for j in range(PARTS):
        sums[j] = 0
    while i + PARTS <= size:
        for j in range(PARTS):
            sums[j] += w[i + j] if w[i + j] > 0 else -w[i + j]
        i += PARTS
    for j in range(PARTS):
        total += sums[j]
    for i in range(i, size):
        total += w[i] if w[i] > 0 else -w[i]
    return total
