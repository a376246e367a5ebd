/* One register tile of a matrix product. Included once for each type REAL, whose functions
   get the suffix SUFFIX.

   The tile's accumulators, MR x NR_VECTORS vectors of LANES elements, fill the
   registers that the vectors of B and one element of A leave. */

/* C (rows, columns) <- alpha A (rows, k) B (k, columns) + beta C_in.

   alpha and beta stay in memory until the sums are done, which need all registers.
   An element of A lies at A[i * row_stride + p * column_stride]. B and C_in have their rows
   ldb and ldc_in apart; with ldc_in = 0 one row is added to all. `split` chains of sums hide
   the latency where the tile has few accumulators. */
static CYMLP_INLINE void NAME(tile)(
    const int rows, const int vectors, const int split, ptrdiff_t columns, ptrdiff_t k,
    const REAL *alpha, const REAL *A, ptrdiff_t row_stride, ptrdiff_t column_stride,
    const REAL *B, ptrdiff_t ldb, const REAL *beta, const REAL *C_in, ptrdiff_t ldc_in,
    REAL *C, ptrdiff_t ldc)
{
    NAME(vector) sums[4][CYMLP_MR][CYMLP_NR_VECTORS];
    NAME(vector) b[CYMLP_NR_VECTORS];
    const ptrdiff_t whole = (vectors - 1) * LANES, part = columns - whole;
    for (int s = 0; s < split; s++)
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < vectors; j++)
                sums[s][i][j] = (NAME(vector)){0};
    for (ptrdiff_t p = 0; p < k; p += split) {
        CYMLP_UNROLL
        for (int s = 0; s < split; s++) {
            if (split > 1 && p + s >= k)
                break;
            CYMLP_UNROLL
            for (int j = 0; j < vectors - 1; j++)
                b[j] = *(const NAME(stored) *)(B + (p + s) * ldb + j * LANES);
            b[vectors - 1] = LOAD_PART(part, B + (p + s) * ldb + whole);
            CYMLP_UNROLL
            for (int i = 0; i < rows; i++) {
                const REAL a = A[i * row_stride + (p + s) * column_stride];
                CYMLP_UNROLL
                for (int j = 0; j < vectors; j++)
                    sums[s][i][j] += a * b[j];
            }
        }
    }
    CYMLP_UNROLL
    for (int s = 1; s < split; s++)
        CYMLP_UNROLL
        for (int i = 0; i < rows; i++)
            CYMLP_UNROLL
            for (int j = 0; j < vectors; j++)
                sums[0][i][j] += sums[s][i][j];
    CYMLP_UNROLL
    for (int i = 0; i < rows; i++) {
        CYMLP_UNROLL
        for (int j = 0; j < vectors; j++) {
            const REAL *in = C_in + i * ldc_in + j * LANES;
            REAL *out = C + i * ldc + j * LANES;
            NAME(vector) sum = *alpha * sums[0][i][j];
            if (j < vectors - 1 || part == LANES) {
                if (*beta != 0)
                    sum += *beta * *(const NAME(stored) *)in;
                *(NAME(stored) *)out = sum;
            } else {
#if CYMLP_READS_PARTS
                if (*beta != 0)
                    sum += *beta * LOAD_PART(part, in);
                NAME(store_part)(out, part, sum);
#else
                REAL last[LANES];
                memcpy(last, &sum, sizeof last);
                for (ptrdiff_t c = 0; c < part; c++)
                    out[c] = *beta != 0 ? last[c] + *beta * in[c] : last[c];
#endif
            }
        }
    }
}

/* The same for each number of rows and of vectors, as separate functions: a compiler that sees
   several at once runs out of registers for their addresses. */
#define PARAMETERS \
    ptrdiff_t columns, ptrdiff_t k, const REAL *alpha, const REAL *A, ptrdiff_t row_stride, \
    ptrdiff_t column_stride, const REAL *B, ptrdiff_t ldb, const REAL *beta, \
    const REAL *C_in, \
    ptrdiff_t ldc_in, REAL *C, ptrdiff_t ldc
#define ARGUMENTS \
    columns, k, alpha, A, row_stride, column_stride, B, ldb, beta, C_in, ldc_in, C, ldc
#define TILES(DO) \
    DO(1, 1, 4) DO(1, 2, 4) DO(1, 3, 2) DO(2, 1, 4) DO(2, 2, 2) DO(2, 3, 1) \
    DO(3, 1, 2) DO(3, 2, 1) DO(3, 3, 1) DO(4, 1, 2) DO(4, 2, 1) DO(4, 3, 1)
#if CYMLP_MR == 8
#define MORE_TILES(DO) \
    DO(5, 1, 1) DO(5, 2, 1) DO(5, 3, 1) DO(6, 1, 1) DO(6, 2, 1) DO(6, 3, 1) \
    DO(7, 1, 1) DO(7, 2, 1) DO(7, 3, 1) DO(8, 1, 1) DO(8, 2, 1) DO(8, 3, 1)
#else
#define MORE_TILES(DO)
#endif
#define DEFINE(rows, vectors, split) \
    static CYMLP_OUT_OF_LINE void NAME(tile_##rows##_##vectors)(PARAMETERS) { \
        NAME(tile)(rows, vectors, split, ARGUMENTS); \
    }
#define CASE(rows, vectors, split) \
    case 4 * rows + vectors: NAME(tile_##rows##_##vectors)(ARGUMENTS); break;

TILES(DEFINE)
MORE_TILES(DEFINE)

static CYMLP_INLINE void NAME(tile_of)(ptrdiff_t rows, ptrdiff_t vectors, PARAMETERS)
{
    switch (4 * rows + vectors) {
        TILES(CASE)
        MORE_TILES(CASE)
    }
}

#undef PARAMETERS
#undef ARGUMENTS
#undef TILES
#undef MORE_TILES
#undef DEFINE
#undef CASE

/* C (n,) <- alpha a (k,) B (k, n) + beta C_in (n,): B is read once, as it lies. */
static void NAME(row)(
    ptrdiff_t n, ptrdiff_t k, REAL alpha, const REAL *a, const REAL *B, ptrdiff_t ldb,
    REAL beta, const REAL *C_in, REAL *CYMLP_RESTRICT C)
{
    ptrdiff_t p = 0;
    for (ptrdiff_t j = 0; j < n; j++)
        C[j] = beta != 0 ? beta * C_in[j] : 0;
    for (; p + 4 <= k; p += 4) {
        const REAL a0 = alpha * a[p], a1 = alpha * a[p + 1];
        const REAL a2 = alpha * a[p + 2], a3 = alpha * a[p + 3];
        const REAL *CYMLP_RESTRICT b = B + p * ldb;
        for (ptrdiff_t j = 0; j < n; j++)
            C[j] += (a0 * b[j] + a1 * b[ldb + j]) + (a2 * b[2 * ldb + j] + a3 * b[3 * ldb + j]);
    }
    for (; p < k; p++)
        for (ptrdiff_t j = 0; j < n; j++)
            C[j] += alpha * a[p] * B[p * ldb + j];
}

/* C (m, n) <- alpha a (m,) b (n,)^T + beta C. With a number of columns that a compiler knows to
   be a few whole vectors, b stays in registers. */
static CYMLP_INLINE void NAME(outer_rows)(
    const ptrdiff_t n, ptrdiff_t m, REAL alpha, const REAL *a, const REAL *CYMLP_RESTRICT b,
    REAL beta, REAL *CYMLP_RESTRICT C, ptrdiff_t ldc)
{
    for (ptrdiff_t i = 0; i < m; i++) {
        const REAL x = alpha * a[i];
        REAL *CYMLP_RESTRICT c = C + i * ldc;
        if (beta != 0)
            for (ptrdiff_t j = 0; j < n; j++)
                c[j] = beta * c[j] + x * b[j];
        else
            for (ptrdiff_t j = 0; j < n; j++)
                c[j] = x * b[j];
    }
}

static void NAME(outer)(
    ptrdiff_t m, ptrdiff_t n, REAL alpha, const REAL *a, const REAL *b, REAL beta, REAL *C,
    ptrdiff_t ldc)
{
#define ROWS_OF(columns) NAME(outer_rows)(columns, m, alpha, a, b, beta, C, ldc)
    if (n == LANES)
        ROWS_OF(LANES);
    else if (n == 2 * LANES)
        ROWS_OF(2 * LANES);
    else if (n == 4 * LANES)
        ROWS_OF(4 * LANES);
    else
        ROWS_OF(n);
#undef ROWS_OF
}

/* packed (k, width) <- the transpose of B (columns, k), by squares of four by four. */
static void NAME(transpose)(
    const REAL *B, ptrdiff_t ldb, ptrdiff_t k, ptrdiff_t columns, ptrdiff_t width, REAL *packed)
{
    ptrdiff_t j = 0;
#if defined(__clang__) || __GNUC__ >= 12
    typedef REAL quad __attribute__((vector_size(4 * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));
    for (; j + 4 <= columns; j += 4) {
        ptrdiff_t p = 0;
        for (; p + 4 <= k; p += 4) {
            const REAL *from = B + j * ldb + p;
            REAL *to = packed + p * width + j;
            const quad r0 = *(const quad *)from, r1 = *(const quad *)(from + ldb);
            const quad r2 = *(const quad *)(from + 2 * ldb), r3 = *(const quad *)(from + 3 * ldb);
            const quad s0 = __builtin_shufflevector(r0, r1, 0, 4, 1, 5);
            const quad s1 = __builtin_shufflevector(r0, r1, 2, 6, 3, 7);
            const quad s2 = __builtin_shufflevector(r2, r3, 0, 4, 1, 5);
            const quad s3 = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);
            *(quad *)to = __builtin_shufflevector(s0, s2, 0, 1, 4, 5);
            *(quad *)(to + width) = __builtin_shufflevector(s0, s2, 2, 3, 6, 7);
            *(quad *)(to + 2 * width) = __builtin_shufflevector(s1, s3, 0, 1, 4, 5);
            *(quad *)(to + 3 * width) = __builtin_shufflevector(s1, s3, 2, 3, 6, 7);
        }
        for (; p < k; p++)
            for (int c = 0; c < 4; c++)
                packed[p * width + j + c] = B[(j + c) * ldb + p];
    }
#endif
    for (; j < columns; j++)
        for (ptrdiff_t p = 0; p < k; p++)
            packed[p * width + j] = B[j * ldb + p];
}

#undef REAL
#undef SUFFIX
