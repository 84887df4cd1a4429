"""Which instruction sets this processor and its operating system offer.

Built for the baseline, so that it can be imported anywhere and asked before any other
build of the core is loaded: all code of a module carries the module's instructions, even
the code that runs on import.
"""

cdef extern from *:
    """
    /* __builtin_cpu_supports also asks the operating system (XGETBV). */
    #if defined(__x86_64__) || defined(__i386__)
    #define HAS(name) (__builtin_cpu_init(), !!__builtin_cpu_supports(name))
    #else
    #define HAS(name) 0
    #endif
    static int has_x86_64_v3(void)
    {
        return HAS("avx2") && HAS("fma") && HAS("bmi") && HAS("bmi2");
    }
    static int has_x86_64_v4(void)
    {
        return has_x86_64_v3() && HAS("avx512f") && HAS("avx512bw") && HAS("avx512cd")
            && HAS("avx512dq") && HAS("avx512vl");
    }
    """
    int has_x86_64_v3()
    int has_x86_64_v4()


def features():
    """The levels beyond the baseline that can run here, best last.

    Returns
    -------
    tuple of str
        Some of "v3" and "v4", the micro-architecture levels of the x86-64 ABI.
    """
    found = []
    if has_x86_64_v3():
        found.append("v3")
    if has_x86_64_v4():
        found.append("v4")
    return tuple(found)
