"""Row-major matrix products for mini-batches: by tiles in registers, or by BLAS.

BLAS packs both operands anew in every call, which costs as much as the arithmetic where one
of them has few rows. Here A is read where it lies, and B too, unless its rows are far apart,
or begin anywhere, and are used often. `python -m benchmarks kernels` compares the two.
"""
from cython cimport floating
from libc.string cimport memcpy, memset

from cymlp._engine.kernels.blas cimport blas_gemm

cdef extern from *:
    """
    #include "vectors.h"

    /* Products of more flops are BLAS's. With AVX2 and AVX-512 none are: by itself BLAS is up to a
       quarter faster where all three sides are long, but within a training step that gained
       nothing. Without fused multiply-add only the smallest products are done before BLAS has
       begun. The number for aarch64 is a guess. */
    #define CYMLP_ANY_FLOPS 1e18   /* more than any product has */
    #if defined(__AVX512F__) || defined(__AVX2__)
    #define CYMLP_MOST_FLOPS CYMLP_ANY_FLOPS
    #elif defined(__aarch64__)
    #define CYMLP_MOST_FLOPS 1e7
    #else
    #define CYMLP_MOST_FLOPS 3e4
    #endif

    #define REAL float
    #define SUFFIX _float
    #include "tile.h"
    #define REAL double
    #define SUFFIX _double
    #include "tile.h"
    """
    const Py_ssize_t VECTOR_BYTES "CYMLP_VECTOR_BYTES"
    const Py_ssize_t MR "CYMLP_MR"
    const Py_ssize_t NR_VECTORS "CYMLP_NR_VECTORS"
    const bint READS_PARTS "CYMLP_READS_PARTS"   # whether a tile reads no farther than B's columns
    const double MOST_FLOPS "CYMLP_MOST_FLOPS"
    const double ANY_FLOPS "CYMLP_ANY_FLOPS"
    void float_transpose "cymlp_transpose_float"(
        const float *B, Py_ssize_t ldb, Py_ssize_t k, Py_ssize_t columns, Py_ssize_t width,
        float *packed,
    ) noexcept nogil
    void double_transpose "cymlp_transpose_double"(
        const double *B, Py_ssize_t ldb, Py_ssize_t k, Py_ssize_t columns, Py_ssize_t width,
        double *packed,
    ) noexcept nogil
    void float_tile "cymlp_tile_of_float"(
        Py_ssize_t rows, Py_ssize_t vectors, Py_ssize_t columns, Py_ssize_t k,
        const float *alpha, const float *A, Py_ssize_t row_stride, Py_ssize_t column_stride,
        const float *B, Py_ssize_t ldb, const float *beta, const float *C_in, Py_ssize_t ldc_in,
        float *C, Py_ssize_t ldc,
    ) noexcept nogil
    void double_tile "cymlp_tile_of_double"(
        Py_ssize_t rows, Py_ssize_t vectors, Py_ssize_t columns, Py_ssize_t k,
        const double *alpha, const double *A, Py_ssize_t row_stride, Py_ssize_t column_stride,
        const double *B, Py_ssize_t ldb, const double *beta, const double *C_in, Py_ssize_t ldc_in,
        double *C, Py_ssize_t ldc,
    ) noexcept nogil
    void float_row "cymlp_row_float"(
        Py_ssize_t n, Py_ssize_t k, float alpha, const float *a, const float *B, Py_ssize_t ldb,
        float beta, const float *C_in, float *C,
    ) noexcept nogil
    void double_row "cymlp_row_double"(
        Py_ssize_t n, Py_ssize_t k, double alpha, const double *a, const double *B, Py_ssize_t ldb,
        double beta, const double *C_in, double *C,
    ) noexcept nogil
    void float_outer "cymlp_outer_float"(
        Py_ssize_t m, Py_ssize_t n, float alpha, const float *a, const float *b, float beta,
        float *C, Py_ssize_t ldc,
    ) noexcept nogil
    void double_outer "cymlp_outer_double"(
        Py_ssize_t m, Py_ssize_t n, double alpha, const double *a, const double *b, double beta,
        double *C, Py_ssize_t ldc,
    ) noexcept nogil
    void prefetch "cymlp_prefetch"(const void *address) noexcept nogil

cdef enum:
    KC = 256       # rows of B at a time: a tile's part of them stays in the first cache
    NC = 480       # columns of B at a time: all tiles' parts stay in the second
    FAR_BYTES = 2048    # rows of B this far apart fall into few sets of the caches; these, and
    OFTEN_ROWS = 64     # rows not made of whole vectors, are packed if A has so many that it repays


cdef inline Py_ssize_t pack_size(Py_ssize_t n) noexcept nogil:
    """Elements of the memory that a product with at most n columns needs beside its operands."""
    return KC * (min(n + NR_VECTORS * VECTOR_BYTES, <Py_ssize_t>NC) + MR)


cdef inline Py_ssize_t tile_vectors(Py_ssize_t columns, Py_ssize_t lanes) noexcept nogil:
    """Vectors of the next tile of a row of so many columns: three, but four as two and two."""
    cdef Py_ssize_t vectors = (columns + lanes - 1) // lanes
    return 2 if vectors == 4 else min(vectors, NR_VECTORS)


cdef inline void pack_columns(
    bint transpose, const floating *B, Py_ssize_t ldb, Py_ssize_t k, Py_ssize_t columns,
    Py_ssize_t width, floating *packed,
) noexcept nogil:
    """packed (k, width) <- B (k, columns), or the transpose of B (columns, k); zeros beyond."""
    cdef Py_ssize_t p
    if columns < width and not READS_PARTS:
        memset(packed, 0, k * width * sizeof(floating))
    if transpose:
        if floating is float:
            float_transpose(B, ldb, k, columns, width, packed)
        else:
            double_transpose(B, ldb, k, columns, width, packed)
        return
    for p in range(k):
        if columns * <Py_ssize_t>sizeof(floating) == NR_VECTORS * VECTOR_BYTES:
            # So many bytes, known beforehand, are copied without a call.
            memcpy(packed + p * width, B + p * ldb, NR_VECTORS * VECTOR_BYTES)
        else:
            memcpy(packed + p * width, B + p * ldb, columns * sizeof(floating))


cdef inline void pack_rows(
    const floating *A, Py_ssize_t lda, Py_ssize_t k, Py_ssize_t rows, floating *packed
) noexcept nogil:
    """packed (k, MR) <- A (k, rows), whose transpose is a tile's share of op(A)."""
    cdef Py_ssize_t p
    for p in range(k):
        prefetch(A + p * lda + 2 * MR)   # rows of A may lie pages apart
        if rows == MR:   # again a number of bytes known beforehand
            memcpy(packed + p * MR, A + p * lda, MR * sizeof(floating))
        else:
            memcpy(packed + p * MR, A + p * lda, rows * sizeof(floating))


cdef inline void tile(
    Py_ssize_t rows, Py_ssize_t vectors, Py_ssize_t columns, Py_ssize_t k,
    floating alpha, const floating *A, Py_ssize_t row_stride, Py_ssize_t column_stride,
    const floating *B, Py_ssize_t ldb, floating beta, const floating *C_in, Py_ssize_t ldc_in,
    floating *C, Py_ssize_t ldc,
) noexcept nogil:
    """C (rows, columns) <- alpha A (rows, k) B (k, columns) + beta C_in; see tile.h."""
    if floating is float:
        float_tile(
            rows, vectors, columns, k, &alpha, A, row_stride, column_stride, B, ldb,
            &beta, C_in, ldc_in, C, ldc,
        )
    else:
        double_tile(
            rows, vectors, columns, k, &alpha, A, row_stride, column_stride, B, ldb,
            &beta, C_in, ldc_in, C, ldc,
        )


cdef inline void outer_product(
    Py_ssize_t m, Py_ssize_t n, floating alpha, const floating *a, const floating *b,
    floating beta, floating *C, Py_ssize_t ldc,
) noexcept nogil:
    """C (m, n) <- alpha a (m,) b (n,)^T + beta C: a product of one row's gradient."""
    if floating is float:
        float_outer(m, n, alpha, a, b, beta, C, ldc)
    else:
        double_outer(m, n, alpha, a, b, beta, C, ldc)


cdef inline void row_product(
    Py_ssize_t n, Py_ssize_t k, floating alpha, const floating *a, const floating *B,
    Py_ssize_t ldb, floating beta, const floating *C_in, floating *C,
) noexcept nogil:
    """C (n,) <- alpha a (k,) B (k, n) + beta C_in: a product of one row's outputs."""
    if floating is float:
        float_row(n, k, alpha, a, B, ldb, beta, C_in, C)
    else:
        double_row(n, k, alpha, a, B, ldb, beta, C_in, C)


cdef inline void tiled_gemm(
    bint transpose_a, bint transpose_b, Py_ssize_t m, Py_ssize_t n, Py_ssize_t k,
    floating alpha, const floating *A, Py_ssize_t lda, const floating *B, Py_ssize_t ldb,
    floating beta, const floating *C_in, Py_ssize_t ldc_in, floating *C, Py_ssize_t ldc,
    floating *pack,
) noexcept nogil:
    """``gemm`` by tiles: for each block of B's columns and rows, all tiles of C's rows."""
    cdef Py_ssize_t lanes = max(<Py_ssize_t>1, VECTOR_BYTES // <Py_ssize_t>sizeof(floating))
    cdef Py_ssize_t row_bytes = ldb * sizeof(floating)
    cdef bint packs, pack_B = transpose_b or (
        m >= OFTEN_ROWS and (row_bytes >= FAR_BYTES or row_bytes % VECTOR_BYTES != 0)
    )
    cdef floating *packed_A = pack
    cdef floating *packed_B = pack + KC * MR
    cdef const floating *a
    cdef const floating *b
    cdef Py_ssize_t first, i, j, p = 0, block_n, block_k, rows, vectors, width, columns
    if k == 1 and transpose_a and not transpose_b and C_in == C:
        outer_product(m, n, alpha, A, B, beta, C, ldc)
        return
    if m == 1 and not transpose_a and not transpose_b:
        row_product(n, k, alpha, A, B, ldb, beta, C_in, C)
        return
    while p < max(k, <Py_ssize_t>1):
        block_k = min(<Py_ssize_t>KC, k - p)
        first = 0
        while first < n:
            block_n = min(<Py_ssize_t>NC, n - first)
            i = 0
            while i < m:
                rows = min(MR, m - i)
                a = A + i * lda + p
                if transpose_a:
                    pack_rows(A + p * lda + i, lda, block_k, rows, packed_A)
                    a = packed_A
                j = 0
                while j < block_n:
                    vectors = tile_vectors(block_n - j, lanes)
                    width = vectors * lanes
                    columns = min(width, block_n - j)
                    b = B + (
                        (first + j) * ldb + p if transpose_b else p * ldb + first + j
                    )
                    packs = pack_B or (columns < width and not READS_PARTS)
                    if packs:
                        if i == 0:
                            pack_columns(
                                transpose_b, b, ldb, block_k, columns, width, packed_B + j * block_k
                            )
                        b = packed_B + j * block_k
                    tile(
                        rows, vectors, columns, block_k, alpha,
                        a, 1 if transpose_a else lda,
                        MR if transpose_a else 1,
                        b, width if packs else ldb,
                        beta, C_in + i * ldc_in + first + j, ldc_in,
                        C + i * ldc + first + j, ldc,
                    )
                    j += width
                i += rows
            first += block_n
        beta, C_in, ldc_in = 1, C, ldc
        p += KC


cdef inline void gemm(
    bint transpose_a, bint transpose_b, Py_ssize_t m, Py_ssize_t n, Py_ssize_t k,
    floating alpha, const floating *A, Py_ssize_t lda, const floating *B, Py_ssize_t ldb,
    floating beta, const floating *C_in, Py_ssize_t ldc_in, floating *C, Py_ssize_t ldc,
    floating *pack,
) noexcept nogil:
    """C (m, n) <- alpha op(A) (m, k) op(B) (k, n) + beta C_in, all of them row-major.

    op(M) is M, or its transpose where ``transpose_*`` is set; ``ld*`` is the distance
    between two rows as they are stored. C_in is C itself, or, with ldc_in = 0, one row (n,)
    that is added to all. ``pack`` is memory of ``pack_size(n)`` elements.
    """
    cdef Py_ssize_t i, j
    if 2.0 * m * n * k <= MOST_FLOPS:
        tiled_gemm(
            transpose_a, transpose_b, m, n, k, alpha, A, lda, B, ldb, beta, C_in, ldc_in, C, ldc,
            pack,
        )
        return
    if ldc_in == 0 and beta != 0:
        for i in range(m):
            for j in range(n):
                C[i * ldc + j] = beta * C_in[j]
        beta = 1
    blas_gemm(transpose_a, transpose_b, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc)
