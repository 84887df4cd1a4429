"""What this processor and its operating system offer, and how to wait on it.

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

cdef extern from *:
    """
    #include <time.h>
    #if defined(__x86_64__) || defined(__i386__)
    #define pause_a_little() __builtin_ia32_pause()
    #elif defined(__aarch64__)
    #define pause_a_little() __asm__ __volatile__("yield")
    #else
    #define pause_a_little() (void)0
    #endif
    #define atomic_read(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
    #define atomic_increment(p) (void)__atomic_fetch_add(p, 1, __ATOMIC_RELEASE)
    static double seconds(void)
    {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec + now.tv_nsec * 1e-9;
    }
    """
    void pause_a_little() nogil
    long long atomic_read(long long*) nogil
    void atomic_increment(long long*) nogil
    double seconds() nogil


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


cdef class Signal:
    """A number that one thread counts up while another waits for that without falling asleep, and without the GIL."""

    cdef long long _count

    @property
    def count(self):
        return atomic_read(&self._count)

    def send(self):
        atomic_increment(&self._count)

    def wait(self, long long seen, double most, double later, Signal first=None):
        """Whether the count became another than `seen` within `most` seconds. If so, it returns `later` seconds after.

        Whoever asks for the GIL while another thread has it falls asleep: the sender should have let go of it, which
        it has where it sends as the `first` thing of a wait of its own.
        """
        cdef double end
        cdef int i
        cdef bint sent = False, sends = first is not None
        with nogil:
            if sends:
                atomic_increment(&first._count)
            end = seconds() + most
            while True:
                for i in range(32):
                    sent = atomic_read(&self._count) != seen
                    if sent:
                        break
                    pause_a_little()
                if sent or seconds() >= end:
                    break
            if sent:
                end = seconds() + later
                while seconds() < end:
                    pause_a_little()
        return sent
