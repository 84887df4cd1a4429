# Row arithmetic: what is done to rows of float or double that lie in scratch memory.
#
# Rows are addressed in bytes and worked on in whole vectors, so every buffer carries some
# padding (see `row_bytes` in _core.pyx). No kernel here knows
# of images, borders or pixel types. The order of additions is part of the contract:
# it is the same in imfilt/_engine/twin.py, and bits are compared.

cdef extern from "_simd.h" nogil:
    const Py_ssize_t VECTOR_BYTES
    # C sees GCC vectors; to Cython they are numbers that add and multiply.
    ctypedef float vf32
    ctypedef double vf64
    vf32 sqrt_f32(vf32)
    vf64 sqrt_f64(vf64)
    vf32 unsafe_f32(vf32 square, vf32 a, vf32 b)
    vf64 unsafe_f64(vf64 square, vf64 a, vf64 b)
    void stream_f32(vf32* dst, vf32 a)
    void stream_f64(vf64* dst, vf64 a)
    void prefetch(const char* src)
    float norm_scaled_f32(float a, float b)
    double norm_scaled_f64(double a, double b)

ctypedef fused vec:
    vf32
    vf64


# The sums over taps come in two widths, four vectors or one, which the compiler unrolls.

cdef inline void put(vec* out, vec value, bint stream) noexcept nogil:
    if stream:
        if vec is vf32:
            stream_f32(out, value)
        else:
            stream_f64(out, value)
    else:
        out[0] = value


cdef inline void store(vec* out, const vec* scale, vec* s, Py_ssize_t width, bint stream) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(width):
        put(out + i, s[i] if scale == NULL else s[i] * scale[0], stream)


cdef inline void plain_sum(const char** taps, Py_ssize_t x, Py_ssize_t count, const vec* weights,
                           const vec* scale, bint stream, char* out, Py_ssize_t width) noexcept nogil:
    """Weighted sum of `count` rows at byte x, `width` vectors."""
    cdef const vec* a = <const vec*>(taps[0] + x)
    cdef vec[4] s
    cdef vec w = weights[0]
    cdef Py_ssize_t t, i
    for i in range(width):
        s[i] = a[i] * w
    for t in range(1, count):
        a = <const vec*>(taps[t] + x)
        w = weights[t]
        for i in range(width):
            s[i] = s[i] + a[i] * w
    store(<vec*>(out + x), scale, s, width, stream)


cdef inline void even_sum(const char** taps, Py_ssize_t x, Py_ssize_t count, const vec* weights,
                          const vec* scale, bint stream, char* out, Py_ssize_t width) noexcept nogil:
    """The same for w[t] == w[-t]: the centre, then pairs from the outside in."""
    cdef Py_ssize_t t, i, radius = count // 2
    cdef const vec* a = <const vec*>(taps[radius] + x)
    cdef const vec* b
    cdef vec[4] s
    cdef vec w = weights[radius]
    for i in range(width):
        s[i] = a[i] * w
    for t in range(radius):
        a = <const vec*>(taps[t] + x)
        b = <const vec*>(taps[2 * radius - t] + x)
        w = weights[t]
        for i in range(width):
            s[i] = s[i] + (a[i] + b[i]) * w
    store(<vec*>(out + x), scale, s, width, stream)


cdef inline void odd_sum(const char** taps, Py_ssize_t x, Py_ssize_t count, const vec* weights,
                         const vec* scale, bint stream, char* out, Py_ssize_t width) noexcept nogil:
    """The same for w[t] == -w[-t], count >= 3: pairs from the outside in, no centre."""
    cdef Py_ssize_t t, i, radius = count // 2
    cdef const vec* a = <const vec*>(taps[0] + x)
    cdef const vec* b = <const vec*>(taps[2 * radius] + x)
    cdef vec[4] s
    cdef vec w = weights[0]
    for i in range(width):
        s[i] = (a[i] - b[i]) * w
    for t in range(1, radius):
        a = <const vec*>(taps[t] + x)
        b = <const vec*>(taps[2 * radius - t] + x)
        w = weights[t]
        for i in range(width):
            s[i] = s[i] + (a[i] - b[i]) * w
    store(<vec*>(out + x), scale, s, width, stream)


cdef inline void any_sum(const char** taps, Py_ssize_t x, Py_ssize_t count, const vec* weights, int parity,
                         const vec* scale, bint stream, char* out, Py_ssize_t width) noexcept nogil:
    if parity > 0:
        even_sum(taps, x, count, weights, scale, stream, out, width)
    elif parity < 0:
        odd_sum(taps, x, count, weights, scale, stream, out, width)
    else:
        plain_sum(taps, x, count, weights, scale, stream, out, width)


cdef inline void fir_rows(const char** taps, Py_ssize_t step, Py_ssize_t lines,
                          Py_ssize_t count, const vec* weights, int parity, const vec* scale, bint stream,
                          char* out, Py_ssize_t out_step, Py_ssize_t nbytes) noexcept nogil:
    """Weighted sums over `count` rows, for `lines` output rows; times `scale` unless NULL.

    Output line i uses taps[i * step : i * step + count]. Columns are the outer loop, so
    that a column of input blocks stays in the first-level cache for all the lines. Exactly
    `nbytes` are written, one vector at least: the last vector may overlap the one before.
    """
    cdef Py_ssize_t x = 0, i, block = 4 * VECTOR_BYTES
    while x + block <= nbytes:
        for i in range(lines):
            any_sum(taps + i * step, x, count, weights, parity, scale, stream, out + i * out_step, 4)
        x += block
    while x + VECTOR_BYTES <= nbytes:
        for i in range(lines):
            any_sum(taps + i * step, x, count, weights, parity, scale, stream, out + i * out_step, 1)
        x += VECTOR_BYTES
    if x < nbytes:
        for i in range(lines):
            any_sum(taps + i * step, nbytes - VECTOR_BYTES, count, weights, parity, scale, False, out + i * out_step, 1)


cdef inline bint any_lane(vec flags) noexcept nogil:
    cdef Py_ssize_t i
    if vec is vf32:
        for i in range(VECTOR_BYTES // <Py_ssize_t>sizeof(float)):
            if (<const float*>&flags)[i] != 0:
                return True
    else:
        for i in range(VECTOR_BYTES // <Py_ssize_t>sizeof(double)):
            if (<const double*>&flags)[i] != 0:
                return True
    return False


cdef inline vec root(vec a) noexcept nogil:
    if vec is vf32:
        return sqrt_f32(a)
    else:
        return sqrt_f64(a)


cdef inline vec unsafe_lanes(vec square, vec a, vec b) noexcept nogil:
    """1 where the mean square of a and b lost digits or overflowed, else 0."""
    if vec is vf32:
        return unsafe_f32(square, a, b)
    else:
        return unsafe_f64(square, a, b)


cdef inline vec gradient_at(const char* p, const char* q, Py_ssize_t radius, Py_ssize_t step,
                            const vec* smooth, const vec* difference, const vec* half,
                            vec* unsafe) noexcept nogil:
    """Root mean square of the difference along p and the smoothing along q, one vector."""
    cdef Py_ssize_t t
    cdef vec g, h, square
    g = ((<const vec*>p)[0] - (<const vec*>(p + 2 * radius * step))[0]) * difference[0]
    h = (<const vec*>(q + radius * step))[0] * smooth[radius]
    h = h + ((<const vec*>q)[0] + (<const vec*>(q + 2 * radius * step))[0]) * smooth[0]
    for t in range(1, radius):
        g = g + ((<const vec*>(p + t * step))[0] - (<const vec*>(p + (2 * radius - t) * step))[0]) * difference[t]
        h = h + ((<const vec*>(q + t * step))[0] + (<const vec*>(q + (2 * radius - t) * step))[0]) * smooth[t]
    square = (g * g + h * h) * half[0]
    unsafe[0] = unsafe[0] + unsafe_lanes(square, g, h)
    return root(square)


cdef inline bint gradient_row(const char** rows, Py_ssize_t radius, Py_ssize_t step,
                              const vec* smooth, const vec* difference,
                              const vec* half, const vec* scale, char* smoothed, char* differed,
                              const char* ahead, Py_ssize_t ahead_step,
                              bint stream, char* out, Py_ssize_t nbytes) noexcept nogil:
    """Scaled root mean square of (smooth x difference, difference x smooth), columns `step` apart.

    `smoothed` and `differed` receive the two sums down the columns. Exactly `nbytes` are
    written, one vector at least. Returns whether a square left the safe range; `out` is then
    to be computed again from those. While the processor waits for roots, it is asked for
    the memory at `ahead`, `ahead_step` bytes for every vector.
    """
    cdef const vec* a
    cdef const vec* b
    cdef Py_ssize_t n, x, t
    cdef vec g, h, unsafe = smooth[0] - smooth[0]
    for n in range((nbytes + 2 * radius * step + VECTOR_BYTES - 1) // VECTOR_BYTES):
        x = n * VECTOR_BYTES
        a = <const vec*>(rows[0] + x)
        b = <const vec*>(rows[2 * radius] + x)
        h = (<const vec*>(rows[radius] + x))[0] * smooth[radius] + (a[0] + b[0]) * smooth[0]
        g = (a[0] - b[0]) * difference[0]
        for t in range(1, radius):
            a = <const vec*>(rows[t] + x)
            b = <const vec*>(rows[2 * radius - t] + x)
            h = h + (a[0] + b[0]) * smooth[t]
            g = g + (a[0] - b[0]) * difference[t]
        (<vec*>(smoothed + x))[0] = h
        (<vec*>(differed + x))[0] = g
    for n in range(nbytes // VECTOR_BYTES):
        x = n * VECTOR_BYTES
        prefetch(ahead + n * ahead_step)
        g = gradient_at(smoothed + x, differed + x, radius, step, smooth, difference, half, &unsafe)
        put(<vec*>(out + x), g * scale[0], stream)
    if nbytes % VECTOR_BYTES:
        x = nbytes - VECTOR_BYTES
        g = gradient_at(smoothed + x, differed + x, radius, step, smooth, difference, half, &unsafe)
        (<vec*>(out + x))[0] = g * scale[0]
    return any_lane(unsafe)


cdef inline vec norm_at(const vec* a, const vec* b, const vec* half) noexcept nogil:
    """Root mean square of two vectors, right for every pair of numbers."""
    cdef Py_ssize_t i
    cdef vec g = a[0], h = b[0], unsafe
    cdef vec m = (g * g + h * h) * half[0]
    unsafe = unsafe_lanes(m, g, h)
    m = root(m)
    if any_lane(unsafe):
        if vec is vf32:
            for i in range(VECTOR_BYTES // <Py_ssize_t>sizeof(float)):
                if (<float*>&unsafe)[i] != 0:
                    (<float*>&m)[i] = norm_scaled_f32((<float*>&g)[i], (<float*>&h)[i])
        else:
            for i in range(VECTOR_BYTES // <Py_ssize_t>sizeof(double)):
                if (<double*>&unsafe)[i] != 0:
                    (<double*>&m)[i] = norm_scaled_f64((<double*>&g)[i], (<double*>&h)[i])
    return m


cdef inline void norm_row(const char* a, const char* b, const vec* half, const vec* scale, bint stream,
                          char* out, Py_ssize_t nbytes) noexcept nogil:
    """Scaled root mean square of two rows. Exactly `nbytes` are written, one vector at least."""
    cdef Py_ssize_t n, x
    for n in range(nbytes // VECTOR_BYTES):
        x = n * VECTOR_BYTES
        put(<vec*>(out + x), norm_at(<const vec*>(a + x), <const vec*>(b + x), half) * scale[0], stream)
    if nbytes % VECTOR_BYTES:
        x = nbytes - VECTOR_BYTES
        (<vec*>(out + x))[0] = norm_at(<const vec*>(a + x), <const vec*>(b + x), half) * scale[0]
