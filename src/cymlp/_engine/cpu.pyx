"""What this CPU can do."""

cdef extern from *:
    """
    #if defined(__GNUC__) && defined(__x86_64__)
    static int cymlp_has_v3(void) {
        __builtin_cpu_init();
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
            && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    }
    static int cymlp_has_v4(void) {
        return cymlp_has_v3()
            && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
            && __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq")
            && __builtin_cpu_supports("avx512vl");
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
