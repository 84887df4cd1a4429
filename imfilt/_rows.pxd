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
    float norm_scaled_f32(float a, float b)
    double norm_scaled_f64(double a, double b)

ctypedef fused vec:
    vf32
    vf64


# The sums over taps come in two widths, four vectors or one, which the compiler unrolls.

cdef inline void store(vec* out, const vec* scale, vec* s, Py_ssize_t width) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(width):
        out[i] = s[i] if scale == NULL else s[i] * scale[0]


cdef inline void plain_sum(const char** taps, Py_ssize_t x, Py_ssize_t count, const vec* weights,
                           const vec* scale, char* out, Py_ssize_t width) noexcept nogil:
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
    store(<vec*>(out + x), scale, s, width)


cdef inline void even_sum(const char** taps, Py_ssize_t x, Py_ssize_t count, const vec* weights,
                          const vec* scale, char* out, Py_ssize_t width) noexcept nogil:
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
    store(<vec*>(out + x), scale, s, width)


cdef inline void odd_sum(const char** taps, Py_ssize_t x, Py_ssize_t count, const vec* weights,
                         const vec* scale, char* out, Py_ssize_t width) noexcept nogil:
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
    store(<vec*>(out + x), scale, s, width)


cdef inline void fir_rows(const char** taps, Py_ssize_t step, Py_ssize_t lines,
                          Py_ssize_t count, const vec* weights, int parity, const vec* scale,
                          char* out, Py_ssize_t out_step, Py_ssize_t nbytes) noexcept nogil:
    """Weighted sums over `count` rows, for `lines` output rows; times `scale` unless NULL.

    Output line i uses taps[i * step : i * step + count]. Columns are the outer loop, so
    that a column of input blocks stays in the first-level cache for all the lines.
    """
    cdef Py_ssize_t x = 0, i, block = 4 * VECTOR_BYTES
    while x + block <= nbytes:
        for i in range(lines):
            if parity > 0:
                even_sum(taps + i * step, x, count, weights, scale, out + i * out_step, 4)
            elif parity < 0:
                odd_sum(taps + i * step, x, count, weights, scale, out + i * out_step, 4)
            else:
                plain_sum(taps + i * step, x, count, weights, scale, out + i * out_step, 4)
        x += block
    while x < nbytes:
        for i in range(lines):
            if parity > 0:
                even_sum(taps + i * step, x, count, weights, scale, out + i * out_step, 1)
            elif parity < 0:
                odd_sum(taps + i * step, x, count, weights, scale, out + i * out_step, 1)
            else:
                plain_sum(taps + i * step, x, count, weights, scale, out + i * out_step, 1)
        x += VECTOR_BYTES


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


cdef inline bint gradient_row(const char** rows, Py_ssize_t radius, Py_ssize_t step,
                              const vec* smooth, const vec* difference,
                              const vec* half, const vec* scale,
                              char* smoothed, char* differed, char* out,
                              Py_ssize_t nbytes) noexcept nogil:
    """Scaled root mean square of (smooth x difference, difference x smooth), columns `step` apart.

    `smoothed` and `differed` receive the two sums down the columns. Returns whether a
    square left the safe range; `out` is then to be computed again from those.
    """
    cdef const char* p
    cdef const char* q
    cdef const vec* a
    cdef const vec* b
    cdef Py_ssize_t n, x, t
    cdef vec g, h, square, unsafe = smooth[0] - smooth[0]
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
        p = smoothed + x
        q = differed + x
        g = ((<const vec*>p)[0] - (<const vec*>(p + 2 * radius * step))[0]) * difference[0]
        h = (<const vec*>(q + radius * step))[0] * smooth[radius]
        h = h + ((<const vec*>q)[0] + (<const vec*>(q + 2 * radius * step))[0]) * smooth[0]
        for t in range(1, radius):
            g = g + ((<const vec*>(p + t * step))[0]
                     - (<const vec*>(p + (2 * radius - t) * step))[0]) * difference[t]
            h = h + ((<const vec*>(q + t * step))[0]
                     + (<const vec*>(q + (2 * radius - t) * step))[0]) * smooth[t]
        square = (g * g + h * h) * half[0]
        unsafe = unsafe + unsafe_lanes(square, g, h)
        (<vec*>(out + x))[0] = root(square) * scale[0]
    return any_lane(unsafe)


cdef inline void norm_row(const vec* a, const vec* b, const vec* half, const vec* scale, vec* out,
                          Py_ssize_t nbytes) noexcept nogil:
    """Scaled root mean square of two rows, right for every pair of numbers: `out` may be `a` or `b`."""
    cdef Py_ssize_t n, i
    cdef vec g, h, m, unsafe
    for n in range(nbytes // VECTOR_BYTES):
        g = a[n]
        h = b[n]
        m = (g * g + h * h) * half[0]
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
        out[n] = m * scale[0]
