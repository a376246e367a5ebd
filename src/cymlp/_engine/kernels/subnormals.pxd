"""Subnormal numbers, which cost a CPU a hundred times the time of others.

Adam's moments and decaying weights get there within a few epochs on data with features that
are always 0. While the engine trains, its own threads take them for 0, a signal handler that
they call included; nothing else in the process does, and what a caller's thread did before
is restored.
"""

cdef extern from *:
    """
    #if defined(__x86_64__) || defined(_M_X64)
    #include <xmmintrin.h>
    /* Bit 15: results that would be subnormal are 0; bit 6: so are operands. */
    static inline unsigned long long cymlp_flush(void) {
        const unsigned int before = _mm_getcsr();
        _mm_setcsr(before | 0x8040);
        return before;
    }
    static inline void cymlp_restore(unsigned long long before) {
        _mm_setcsr((unsigned int)before);
    }
    #elif defined(__aarch64__) && defined(__GNUC__)
    static inline unsigned long long cymlp_flush(void) {
        unsigned long long before;
        __asm__ __volatile__("mrs %0, fpcr" : "=r"(before));
        __asm__ __volatile__("msr fpcr, %0" : : "r"(before | (1ULL << 24)));
        return before;
    }
    static inline void cymlp_restore(unsigned long long before) {
        __asm__ __volatile__("msr fpcr, %0" : : "r"(before));
    }
    #else
    static inline unsigned long long cymlp_flush(void) { return 0; }
    static inline void cymlp_restore(unsigned long long before) { (void)before; }
    #endif
    """
    unsigned long long flush_subnormals "cymlp_flush"() noexcept nogil
    void restore_subnormals "cymlp_restore"(unsigned long long before) noexcept nogil
