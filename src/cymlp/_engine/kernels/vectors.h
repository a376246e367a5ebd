/* Vectors of the instruction set compiled for, and the names of functions that exist once for
   each type: a header that is included for REAL and SUFFIX defines them as NAME(function). */

#ifndef CYMLP_VECTORS_H
#define CYMLP_VECTORS_H

#include <stddef.h>
#include <string.h>

/* Vector types and what goes with them are an extension of GCC and Clang, of Clang in the guise of
   Microsoft's compiler too. Elsewhere a "vector" is one element, and the results are the same. */
#if defined(__GNUC__) || defined(__clang__)
#define CYMLP_HAS_VECTORS 1
#else
#define CYMLP_HAS_VECTORS 0
#endif

/* The widest vectors of the instruction set compiled for, and a tile for its registers. */
#if !CYMLP_HAS_VECTORS
#define CYMLP_VECTOR_BYTES 1
#define CYMLP_MR 4
#elif defined(__AVX512F__)
#define CYMLP_VECTOR_BYTES 64
#define CYMLP_MR 8
#elif defined(__AVX2__)
#define CYMLP_VECTOR_BYTES 32
#define CYMLP_MR 4
#elif defined(__aarch64__)
#define CYMLP_VECTOR_BYTES 16
#define CYMLP_MR 8
#else
#define CYMLP_VECTOR_BYTES 16
#define CYMLP_MR 4
#endif
#define CYMLP_NR_VECTORS 3

#if CYMLP_HAS_VECTORS
#define CYMLP_INLINE inline __attribute__((always_inline))
#define CYMLP_OUT_OF_LINE __attribute__((noinline))
#define CYMLP_RESTRICT __restrict__
#define cymlp_prefetch(address) __builtin_prefetch(address)
#define cymlp_prefetch_to_second(address) __builtin_prefetch(address, 0, 2)
#else
#define CYMLP_INLINE inline
#define CYMLP_OUT_OF_LINE
#define CYMLP_RESTRICT
#define cymlp_prefetch(address)
#define cymlp_prefetch_to_second(address)
#endif

/* Unroll a short loop of known length; a tile's sums are in registers only if no loop is left. With
   GCC's pragma, Clang for aarch64 leaves those whose length is no multiple of the number. */
#if defined(__clang__)
#define CYMLP_UNROLL _Pragma("clang loop unroll(full)")
#elif CYMLP_HAS_VECTORS
#define CYMLP_UNROLL _Pragma("GCC unroll 8")
#else
#define CYMLP_UNROLL
#endif

#define CYMLP_JOIN_(a, b) a##b
#define CYMLP_JOIN(a, b) CYMLP_JOIN_(a, b)
#define NAME(name) CYMLP_JOIN(CYMLP_JOIN(cymlp_, name), SUFFIX)

/* A stored vector is one in memory, at any address. */
#if CYMLP_HAS_VECTORS
#define LANES ((int)(CYMLP_VECTOR_BYTES / sizeof(REAL)))
#define CYMLP_VECTOR_TYPES(REAL, SUFFIX) \
    typedef REAL cymlp_vector##SUFFIX __attribute__((vector_size(CYMLP_VECTOR_BYTES))); \
    typedef REAL cymlp_stored##SUFFIX __attribute__(( \
        vector_size(CYMLP_VECTOR_BYTES), aligned(sizeof(REAL)), may_alias));
#else
#define LANES 1
#define CYMLP_VECTOR_TYPES(REAL, SUFFIX) \
    typedef REAL cymlp_vector##SUFFIX; \
    typedef REAL cymlp_stored##SUFFIX;
#endif
CYMLP_VECTOR_TYPES(float, _float)
CYMLP_VECTOR_TYPES(double, _double)

/* The last vector of a row may have a part of its columns only: AVX-512 loads and stores those by
   a mask, and reads no farther. Elsewhere the whole vector is loaded. */
#if defined(__AVX512F__) && CYMLP_HAS_VECTORS
#include <immintrin.h>
#define CYMLP_READS_PARTS 1
#define CYMLP_MASKED(SUFFIX, REAL, width, letter) \
    static CYMLP_INLINE cymlp_vector##SUFFIX cymlp_load_part##SUFFIX( \
        ptrdiff_t part, const REAL *address) \
    { \
        return (cymlp_vector##SUFFIX)_mm512_maskz_loadu_p##letter( \
            (__mmask##width)((1u << part) - 1), address); \
    } \
    static CYMLP_INLINE void cymlp_store_part##SUFFIX( \
        REAL *address, ptrdiff_t part, cymlp_vector##SUFFIX x) \
    { \
        _mm512_mask_storeu_p##letter(address, (__mmask##width)((1u << part) - 1), x); \
    }
CYMLP_MASKED(_float, float, 16, s)
CYMLP_MASKED(_double, double, 8, d)
#define LOAD_PART(part, address) NAME(load_part)(part, address)
#else
#define CYMLP_READS_PARTS 0
#define LOAD_PART(part, address) (*(const NAME(stored) *)(address))
#endif

#endif
