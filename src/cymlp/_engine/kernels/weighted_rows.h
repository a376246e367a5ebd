/* Sums of rows of a matrix that lie anywhere, each times a number. Included once for each type
   REAL, whose functions get the suffix SUFFIX. */

#define CYMLP_ROWS_AHEAD 8   /* rows on their way while one is added: they lie anywhere */

/* z (columns,) <- z + sum_k x_k W[rows_k], of as many columns as `vectors` have; the last vector
   has `part` of them only, where instructions can load that. */
static CYMLP_INLINE void NAME(add_rows_tile)(
    const int vectors, ptrdiff_t part, ptrdiff_t n, const REAL *x, const int *rows,
    const REAL *W, ptrdiff_t ldw, REAL *z)
{
    NAME(vector) sums[8];
    const ptrdiff_t last = (vectors - 1) * LANES;
    CYMLP_UNROLL
    for (int j = 0; j < vectors - 1; j++)
        sums[j] = *(const NAME(stored) *)(z + j * LANES);
    sums[vectors - 1] = LOAD_PART(part, z + last);
    for (ptrdiff_t k = 0; k < n; k++) {
        const REAL *w = W + rows[k] * ldw;
        const REAL xk = x[k];
        if (k + CYMLP_ROWS_AHEAD < n) {
            const char *ahead = (const char *)(W + rows[k + CYMLP_ROWS_AHEAD] * ldw);
            (void)ahead;
            CYMLP_UNROLL
            for (int j = 0; j < vectors * CYMLP_VECTOR_BYTES; j += 64)
                cymlp_prefetch_to_second(ahead + j);
        }
        CYMLP_UNROLL
        for (int j = 0; j < vectors - 1; j++)
            sums[j] += xk * *(const NAME(stored) *)(w + j * LANES);
        sums[vectors - 1] += xk * LOAD_PART(part, w + last);
    }
    CYMLP_UNROLL
    for (int j = 0; j < vectors - 1; j++)
        *(NAME(stored) *)(z + j * LANES) = sums[j];
#if CYMLP_READS_PARTS
    NAME(store_part)(z + last, part, sums[vectors - 1]);
#else
    *(NAME(stored) *)(z + last) = sums[vectors - 1];
#endif
}

static CYMLP_OUT_OF_LINE void NAME(add_rows_8)(
    ptrdiff_t n, const REAL *x, const int *rows, const REAL *W, ptrdiff_t ldw, REAL *z)
{
    NAME(add_rows_tile)(8, LANES, n, x, rows, W, ldw, z);
}

static CYMLP_OUT_OF_LINE void NAME(add_rows_4)(
    ptrdiff_t n, const REAL *x, const int *rows, const REAL *W, ptrdiff_t ldw, REAL *z)
{
    NAME(add_rows_tile)(4, LANES, n, x, rows, W, ldw, z);
}

static CYMLP_OUT_OF_LINE void NAME(add_rows_2)(
    ptrdiff_t n, const REAL *x, const int *rows, const REAL *W, ptrdiff_t ldw, REAL *z)
{
    NAME(add_rows_tile)(2, LANES, n, x, rows, W, ldw, z);
}

static CYMLP_OUT_OF_LINE void NAME(add_rows_1)(
    ptrdiff_t part, ptrdiff_t n, const REAL *x, const int *rows, const REAL *W, ptrdiff_t ldw,
    REAL *z)
{
    NAME(add_rows_tile)(1, part, n, x, rows, W, ldw, z);
}

/* z (h,) <- z + sum_k x_k W[rows_k] for n rows of W (any, h). */
static void NAME(add_rows)(
    ptrdiff_t h, ptrdiff_t n, const REAL *x, const int *rows, const REAL *W, REAL *z)
{
    const ptrdiff_t ldw = h;
    ptrdiff_t j = 0;
    if (h == 1) {
        REAL sum = z[0];
        for (ptrdiff_t k = 0; k < n; k++)
            sum += x[k] * W[rows[k]];
        z[0] = sum;
        return;
    }
    for (; j + 8 * LANES <= h; j += 8 * LANES)
        NAME(add_rows_8)(n, x, rows, W + j, ldw, z + j);
    if (j + 4 * LANES <= h) {
        NAME(add_rows_4)(n, x, rows, W + j, ldw, z + j);
        j += 4 * LANES;
    }
    if (j + 2 * LANES <= h) {
        NAME(add_rows_2)(n, x, rows, W + j, ldw, z + j);
        j += 2 * LANES;
    }
    if (j + LANES <= h) {
        NAME(add_rows_1)(LANES, n, x, rows, W + j, ldw, z + j);
        j += LANES;
    }
#if CYMLP_READS_PARTS
    if (j < h)
        NAME(add_rows_1)(h - j, n, x, rows, W + j, ldw, z + j);
#else
    for (ptrdiff_t k = 0; j < h && k < n; k++) {
        const REAL *w = W + rows[k] * ldw;
        for (ptrdiff_t c = j; c < h; c++)
            z[c] += x[k] * w[c];
    }
#endif
}

#undef REAL
#undef SUFFIX
