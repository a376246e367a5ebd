/* Sums over vectors. Included once for each type REAL, whose functions get the suffix SUFFIX;
   see vectors.h. */

/* sum of x_i^2, or, not squared, of x_i - x_i: in order, a compiler may not make vectors of it. */
static CYMLP_INLINE REAL NAME(sum)(const int squared, const REAL *x, ptrdiff_t size)
{
    NAME(vector) sums[4] = {{0}};
    REAL lanes[LANES], total = 0;
    ptrdiff_t i = 0;
    for (; i + 4 * LANES <= size; i += 4 * LANES)
        CYMLP_UNROLL
        for (int j = 0; j < 4; j++) {
            const NAME(vector) v = *(const NAME(stored) *)(x + i + j * LANES);
            sums[j] += squared ? v * v : v - v;
        }
    sums[0] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    memcpy(lanes, sums, sizeof lanes);
    for (int j = 0; j < LANES; j++)
        total += lanes[j];
    for (; i < size; i++)
        total += squared ? x[i] * x[i] : x[i] - x[i];
    return total;
}

static REAL NAME(squared_norm)(const REAL *x, ptrdiff_t size)
{
    return NAME(sum)(1, x, size);
}

/* x - x is 0 where x is finite, else NaN. */
static int NAME(are_finite)(const REAL *x, ptrdiff_t size)
{
    return NAME(sum)(0, x, size) == 0;
}

#undef REAL
#undef SUFFIX
