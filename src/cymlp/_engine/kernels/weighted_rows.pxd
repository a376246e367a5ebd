"""Sums of rows of a matrix that lie anywhere, each times a number: products with sparse rows."""
from cython cimport floating

cdef extern from *:
    """
    #include "vectors.h"
    #define REAL float
    #define SUFFIX _float
    #include "weighted_rows.h"
    #define REAL double
    #define SUFFIX _double
    #include "weighted_rows.h"
    """
    void float_add_rows "cymlp_add_rows_float"(
        Py_ssize_t h, Py_ssize_t n, const float *x, const int *rows, const float *W,
        float *z,
    ) noexcept nogil
    void double_add_rows "cymlp_add_rows_double"(
        Py_ssize_t h, Py_ssize_t n, const double *x, const int *rows, const double *W,
        double *z,
    ) noexcept nogil


cdef inline void add_weighted_rows(
    Py_ssize_t h, Py_ssize_t n, const floating *x, const int *rows, const floating *W, floating *z
) noexcept nogil:
    """z (h,) <- z + sum_k x_k W[rows_k], in this order, for x and rows (n,) and W (any, h)."""
    if floating is float:
        float_add_rows(h, n, x, rows, W, z)
    else:
        double_add_rows(h, n, x, rows, W, z)
