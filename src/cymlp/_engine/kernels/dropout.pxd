"""Dropout: units set to 0 at random while training, by a hash of where they stand.

There is no state: whether a unit of a sample is dropped depends on the seed, the update, the
layer, the sample's place in the mini-batch and the unit, so that the result is the same however
threads share the rows.

N. Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting",
JMLR 15, 2014; inverted: what is kept is scaled up, so that predictions need no scaling.
"""
from cython cimport floating

cdef extern from *:
    """
    #include <stdint.h>

    /* The last steps of G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number
       generators" (2014): 64 bits of which each depends on all of x. */
    static inline uint64_t cymlp_mix64(uint64_t x) {
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
        return x ^ (x >> 31);
    }

    /* The same for 32 bits, of which vectors hold more; constants by C. Wellons (2018). */
    static inline uint32_t cymlp_mix32(uint32_t x) {
        x = (x ^ (x >> 16)) * 0x7FEB352Du;
        x = (x ^ (x >> 15)) * 0x846CA68Bu;
        return x ^ (x >> 16);
    }
    """
    ctypedef unsigned int uint32_t
    ctypedef unsigned long long uint64_t
    uint64_t mix64 "cymlp_mix64"(uint64_t x) noexcept nogil
    uint32_t mix32 "cymlp_mix32"(uint32_t x) noexcept nogil


cdef inline uint64_t layer_key(uint64_t seed, long long n_updates, Py_ssize_t layer) noexcept nogil:
    """A number of which all masks of a layer in an update are made, and no others."""
    return mix64(mix64(seed + <uint64_t>n_updates) + <uint64_t>layer)


cdef inline void drop_out(
    floating *A, floating *F, Py_ssize_t n, Py_ssize_t h, double rate, uint64_t key,
    Py_ssize_t first,
) noexcept nogil:
    """A, F (n, h) <- 0 with probability ``rate``, else / (1 - rate).

    The rows are those from number ``first`` on of the mini-batch.
    """
    cdef floating kept = <floating>(1 / (1 - rate)), factor
    cdef uint32_t least = <uint32_t>(rate * 4294967296.0), low, high
    cdef uint64_t row
    cdef Py_ssize_t i, j
    for i in range(n):
        row = mix64(key + <uint64_t>(first + i))
        low, high = <uint32_t>row, <uint32_t>(row >> 32)
        for j in range(h):
            factor = kept if mix32(mix32(<uint32_t>j ^ low) ^ high) >= least else 0
            A[i * h + j] *= factor
            F[i * h + j] *= factor
