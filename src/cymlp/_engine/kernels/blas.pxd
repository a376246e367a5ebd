"""Row-major BLAS: the only file that talks to ``scipy.linalg.cython_blas``."""
from cython cimport floating
from scipy.linalg.cython_blas cimport dgemm, sgemm

ctypedef int blas_int


cdef inline void blas_gemm(
    bint transpose_a, bint transpose_b,
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t k,
    floating alpha, const floating *A, Py_ssize_t lda,
    const floating *B, Py_ssize_t ldb,
    floating beta, floating *C, Py_ssize_t ldc,
) noexcept nogil:
    """C (m, n) <- alpha op(A) (m, k) op(B) (k, n) + beta C, all of them row-major.

    op(M) is M, or its transpose where ``transpose_*`` is set; ``ld*`` is the distance
    between two rows as they are stored. Every size fits ``blas_int`` (Architecture sees to it).
    BLAS is column-major and reads a row-major M as M^T, hence C^T <- op(B)^T op(A)^T.
    """
    cdef char op_a = c'T' if transpose_a else c'N'
    cdef char op_b = c'T' if transpose_b else c'N'
    cdef blas_int m_ = <blas_int>m, n_ = <blas_int>n, k_ = <blas_int>k
    cdef blas_int lda_ = <blas_int>lda, ldb_ = <blas_int>ldb, ldc_ = <blas_int>ldc
    if floating is float:
        sgemm(&op_b, &op_a, &n_, &m_, &k_, &alpha, <float *>B, &ldb_,
              <float *>A, &lda_, &beta, C, &ldc_)
    else:
        dgemm(&op_b, &op_a, &n_, &m_, &k_, &alpha, <double *>B, &ldb_,
              <double *>A, &lda_, &beta, C, &ldc_)
