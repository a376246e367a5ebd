"""What this CPU can do."""

cdef extern from *:
    """
    #if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
    /* By hand, as __builtin_cpu_supports needs a part of Clang's library that is not linked where
       Clang stands in for Microsoft's compiler. */
    typedef struct { unsigned int a, b, c, d; } cymlp_registers;

    static cymlp_registers cymlp_cpuid(unsigned int leaf) {
        cymlp_registers r;
        __asm__ __volatile__(
            "cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(0)
        );
        return r;
    }

    /* Whether the system saves these parts of the registers, by their bits in XCR0. */
    static int cymlp_system_saves(unsigned int parts) {
        unsigned int low, high;
        if (!(cymlp_cpuid(1).c >> 27 & 1))   /* OSXSAVE: there is an XCR0 */
            return 0;
        __asm__ __volatile__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
        return (low & parts) == parts;
    }

    static int cymlp_has_leaf_7(unsigned int bits) {
        return cymlp_cpuid(0).a >= 7 && (cymlp_cpuid(7).b & bits) == bits;
    }

    static int cymlp_has_v3(void) {
        return cymlp_system_saves(0x6) && cymlp_cpuid(1).c >> 12 & 1   /* FMA */
            && cymlp_has_leaf_7(1u << 3 | 1u << 5 | 1u << 8);          /* BMI, AVX2, BMI2 */
    }

    static int cymlp_has_v4(void) {
    #ifdef __APPLE__   /* sets those bits of XCR0 when a program first uses AVX-512 */
        const unsigned int parts = 0x6;
    #else
        const unsigned int parts = 0xE6;
    #endif
        return cymlp_has_v3() && cymlp_system_saves(parts)
            && cymlp_has_leaf_7(1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31);
            /* AVX-512 F, DQ, CD, BW, VL */
    }
    #else
    static int cymlp_has_v3(void) { return 0; }
    static int cymlp_has_v4(void) { return 0; }
    #endif
    """
    bint has_v3 "cymlp_has_v3"()
    bint has_v4 "cymlp_has_v4"()


def instruction_sets():
    """The names of the sets for which cymlp has builds and which this CPU has, best first."""
    names = ["baseline"]
    if has_v3():
        names.insert(0, "x86-64-v3")
    if has_v4():
        names.insert(0, "x86-64-v4")
    return names
