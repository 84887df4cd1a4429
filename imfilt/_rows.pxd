# Row arithmetic: what is done to rows of float or double that lie in scratch memory.
#
# Rows are addressed in bytes and worked on in whole vectors, so every buffer carries some
# padding (see `row_bytes` in _sweep.pxd). No kernel here knows
# of images, borders or pixel types. The order of additions is part of the contract:
# it is the same in imfilt/_engine/twin.py, and bits are compared.

from libc.stdint cimport int16_t, int32_t, int64_t, uint16_t, uint32_t, uint8_t

cdef extern from "_simd.h" nogil:
    const Py_ssize_t VECTOR_BYTES
    void one_by_one()
    void left_over()
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
    void prefetch_later(const char* src)
    vf32 madd_f32(vf32, vf32, vf32)
    vf64 madd_f64(vf64, vf64, vf64)
    vf32 splat_f32(const char*)
    void store_part_f32(char* out, vf32 a, Py_ssize_t n)
    void store_part_f64(char* out, vf64 a, Py_ssize_t n)
    vf64 splat_f64(const char*)
    bint expected(bint condition)
    const int SHUFFLES
    const int32_t* RAMP
    int16_t share(int16_t a, int16_t b)
    Py_ssize_t quotient_bytes(const uint16_t* sums, uint16_t divisor, uint16_t multiplier, int shift, uint8_t* out,
                              Py_ssize_t n)
    Py_ssize_t window_quotients(const uint16_t* columns, Py_ssize_t count, Py_ssize_t step, uint16_t divisor,
                                uint16_t multiplier, int shift, uint8_t* out, Py_ssize_t n)
    Py_ssize_t block_sums(const uint8_t** rows, Py_ssize_t tall, Py_ssize_t wide, Py_ssize_t lanes, const int16_t* at,
                          uint16_t* out, Py_ssize_t n)
    void even_rows(const char** rows, const int32_t* weights, Py_ssize_t radius, int32_t bias, int shift, int16_t* out,
                   Py_ssize_t n)
    void sums_from_left(const void* numbers, int wide, uint32_t* out, Py_ssize_t step, Py_ssize_t n)
    vf32 shuffle_f32(vf32 a, vf32 b, const int32_t* at)
    vf64 shuffle_f64(vf64 a, vf64 b, const int32_t* at)
    const Py_ssize_t STREAM_ALIGNMENT
    const Py_ssize_t TILE_PIXELS
    const Py_ssize_t SMALL_TILE
    const Py_ssize_t DENSE_ROWS
    const Py_ssize_t DENSE_VECTORS
    int32_t float_bits(float)
    int64_t double_bits(double)
    float norm_scaled_f32(float a, float b)
    double norm_scaled_f64(double a, double b)

ctypedef fused vec:
    vf32
    vf64

ctypedef fused number:
    float
    double

cdef extern from "<string.h>" nogil:
    void* memcpy(void* dst, const void* src, size_t n)
    void* memset(void* dst, int value, size_t n)


# The sums over taps come in two widths, four vectors or one, which the compiler unrolls.

cdef inline void put(vec* out, vec value, bint stream) noexcept nogil:
    if stream:
        if vec is vf32:
            stream_f32(out, value)
        else:
            stream_f64(out, value)
    else:
        out[0] = value


cdef inline void store(char* out, Py_ssize_t gap, const vec* scale, vec* s, Py_ssize_t width,
                       bint stream) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(width):
        put(<vec*>(out + i * gap), s[i] if scale == NULL else s[i] * scale[0], stream)


cdef inline void plain_sum(const char** taps, Py_ssize_t x, Py_ssize_t gap, Py_ssize_t count,
                           const vec* weights, const vec* scale, bint stream, char* out, Py_ssize_t out_gap,
                           Py_ssize_t width) noexcept nogil:
    """Weighted sum of `count` rows: `width` vectors, `gap` bytes apart, the first at byte x.

    They go to `out`, `out_gap` bytes apart.
    """
    cdef const char* a = taps[0] + x
    cdef vec[4] s
    cdef vec w = weights[0]
    cdef Py_ssize_t t, i
    for i in range(width):
        s[i] = (<const vec*>(a + i * gap))[0] * w
    for t in range(1, count):
        a = taps[t] + x
        w = weights[t]
        for i in range(width):
            s[i] = s[i] + (<const vec*>(a + i * gap))[0] * w
    store(out, out_gap, scale, s, width, stream)


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
    store(out + x, VECTOR_BYTES, scale, s, width, stream)


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
    store(out + x, VECTOR_BYTES, scale, s, width, stream)


cdef inline void any_sum(const char** taps, Py_ssize_t x, Py_ssize_t count, const vec* weights, int parity,
                         const vec* scale, bint stream, char* out, Py_ssize_t width) noexcept nogil:
    if parity > 0:
        even_sum(taps, x, count, weights, scale, stream, out, width)
    elif parity < 0:
        odd_sum(taps, x, count, weights, scale, stream, out, width)
    else:
        plain_sum(taps, x, VECTOR_BYTES, count, weights, scale, stream, out + x, VECTOR_BYTES, width)


cdef inline void fir_lines(const char** taps, Py_ssize_t step, Py_ssize_t lines,
                           Py_ssize_t count, const vec* weights, int parity, const vec* scale, bint stream,
                           char* out, Py_ssize_t out_step, const char* ahead, Py_ssize_t nbytes) noexcept nogil:
    cdef Py_ssize_t x = 0, i, block = 4 * VECTOR_BYTES
    while x + block <= nbytes:
        if ahead != NULL:
            for i in range(4 * VECTOR_BYTES // 64):
                prefetch(ahead + x + 64 * i)
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


cdef inline void fir_rows(const char** taps, Py_ssize_t step, Py_ssize_t lines,
                          Py_ssize_t count, const vec* weights, int parity, const vec* scale, bint stream,
                          char* out, Py_ssize_t out_step, const char* ahead, Py_ssize_t nbytes) noexcept nogil:
    """Weighted sums over `count` rows, for `lines` output rows; times `scale` unless NULL.

    Output line i uses taps[i * step : i * step + count]. Columns are the outer loop, so
    that a column of input blocks stays in the first-level cache for all the lines. Exactly
    `nbytes` are written, one vector at least: the last vector may overlap the one before. Memory at `ahead` is
    asked for, unless it is NULL.
    """
    if lines == 1 and count == 3:  # constants, so that the compiler unrolls
        fir_lines(taps, step, 1, 3, weights, parity, scale, stream, out, out_step, ahead, nbytes)
    elif lines == 1 and count == 5 and parity == 0:
        fir_lines(taps, step, 1, 5, weights, 0, scale, stream, out, out_step, ahead, nbytes)
    elif parity > 0 and count == 5:
        fir_lines(taps, step, lines, 5, weights, 1, scale, stream, out, out_step, ahead, nbytes)
    elif parity > 0 and count == 9:
        fir_lines(taps, step, lines, 9, weights, 1, scale, stream, out, out_step, ahead, nbytes)
    else:
        fir_lines(taps, step, lines, count, weights, parity, scale, stream, out, out_step, ahead, nbytes)


cdef inline void even_four(const char** rows, Py_ssize_t x, Py_ssize_t count, const vec* weights, char* out,
                           Py_ssize_t out_step) noexcept nogil:
    """even_sum for four lines, the first of rows[0] ... rows[count - 1], each of the others a row further down.

    A row is loaded once for the four lines on either side of the centre.
    """
    cdef Py_ssize_t t, radius = count // 2
    cdef vec w = weights[radius]
    cdef vec a = (<const vec*>(rows[0] + x))[0], b = (<const vec*>(rows[1] + x))[0]
    cdef vec c = (<const vec*>(rows[2] + x))[0], d
    cdef vec f = (<const vec*>(rows[count] + x))[0], g = (<const vec*>(rows[count + 1] + x))[0]
    cdef vec h = (<const vec*>(rows[count + 2] + x))[0], e
    cdef vec first = (<const vec*>(rows[radius] + x))[0] * w, second = (<const vec*>(rows[radius + 1] + x))[0] * w
    cdef vec third = (<const vec*>(rows[radius + 2] + x))[0] * w, fourth = (<const vec*>(rows[radius + 3] + x))[0] * w
    for t in range(radius):
        w = weights[t]
        d = (<const vec*>(rows[t + 3] + x))[0]
        e = (<const vec*>(rows[2 * radius - t] + x))[0]
        first = first + (a + e) * w
        second = second + (b + f) * w
        third = third + (c + g) * w
        fourth = fourth + (d + h) * w
        a, b, c = b, c, d
        h, g, f = g, f, e
    (<vec*>(out + x))[0] = first
    (<vec*>(out + out_step + x))[0] = second
    (<vec*>(out + 2 * out_step + x))[0] = third
    (<vec*>(out + 3 * out_step + x))[0] = fourth


cdef inline void plain_four(const char** rows, Py_ssize_t x, Py_ssize_t count, const vec* weights, char* out,
                            Py_ssize_t out_step) noexcept nogil:
    """The same for any weights: plain_sum."""
    cdef Py_ssize_t t
    cdef vec w = weights[0]
    cdef vec a = (<const vec*>(rows[0] + x))[0], b = (<const vec*>(rows[1] + x))[0]
    cdef vec c = (<const vec*>(rows[2] + x))[0], d = (<const vec*>(rows[3] + x))[0]
    cdef vec first = a * w, second = b * w, third = c * w, fourth = d * w
    for t in range(1, count):
        w = weights[t]
        a, b, c, d = b, c, d, (<const vec*>(rows[t + 3] + x))[0]
        first = first + a * w
        second = second + b * w
        third = third + c * w
        fourth = fourth + d * w
    (<vec*>(out + x))[0] = first
    (<vec*>(out + out_step + x))[0] = second
    (<vec*>(out + 2 * out_step + x))[0] = third
    (<vec*>(out + 3 * out_step + x))[0] = fourth


cdef inline void shared_lines(const char** rows, Py_ssize_t lines, Py_ssize_t count, const vec* weights, int parity,
                              char* out, Py_ssize_t out_step, const char* ahead, Py_ssize_t ahead_step,
                              Py_ssize_t nbytes) noexcept nogil:
    """fir_rows for weights that are not odd, and lines that each begin a row further down.

    As many rows from `ahead` on are asked for, unless that is NULL.
    """
    cdef Py_ssize_t x = 0, i, last = nbytes - VECTOR_BYTES, end, at
    while x < nbytes:
        for i in range(lines if ahead != NULL else 0):
            for at in range(4 * VECTOR_BYTES // 64):
                prefetch_later(ahead + i * ahead_step + x + 64 * at)
        i, end = 0, min(x + 4 * VECTOR_BYTES, nbytes)
        while i + 4 <= lines:
            at = x
            while at < end:
                if parity > 0:
                    even_four(rows + i, min(at, last), count, weights, out + i * out_step, out_step)
                else:
                    plain_four(rows + i, min(at, last), count, weights, out + i * out_step, out_step)
                at += VECTOR_BYTES
            i += 4
        while i < lines:
            at = x
            while at < end:
                any_sum(rows + i, min(at, last), count, weights, parity, NULL, False, out + i * out_step, 1)
                at += VECTOR_BYTES
            i += 1
        x = end


cdef inline void add_taps(const char** taps, Py_ssize_t x, Py_ssize_t first, Py_ssize_t count, const vec* weights,
                          vec* s, Py_ssize_t width) noexcept nogil:
    """Adds taps `first` ... `count`, all of them in one line of scratch; every other by shuffles, as add_pairs does."""
    cdef const char* at
    cdef const char* base = NULL
    cdef const int32_t* lanes
    cdef vec[5] near
    cdef vec w
    cdef Py_ssize_t t, i
    for i in range(5):
        near[i] = s[0]
    for t in range(first, count):
        at = taps[t] + x
        w = weights[t]
        if SHUFFLES > 1 and width == 4 and t % 2:
            lanes = RAMP + <Py_ssize_t>(<size_t>at % 64) // 4
            at -= <size_t>at % 64
            if at != base:
                base = at
                for i in range(5):
                    near[i] = (<const vec*>base)[i]
            for i in range(width):
                s[i] = s[i] + shuffled(near[i], near[i + 1], lanes) * w
        else:
            for i in range(width):
                s[i] = s[i] + (<const vec*>at)[i] * w


cdef inline void add_pairs(const char** taps, Py_ssize_t x, Py_ssize_t count, const vec* weights, int parity, vec* sums,
                           Py_ssize_t width) noexcept nogil:
    """Adds pairs of taps from the outside in, all of them in one line of scratch.

    Four vectors of one tap of a pair are shuffled from vectors that begin with a line of cache, so that half as many
    loads lie across two such lines, and take as long as two. That reads up to a vector more on either side.
    """
    cdef const char* at
    cdef const char* base = NULL
    cdef const vec* a
    cdef const vec* b
    cdef const int32_t* lanes
    cdef vec[5] near
    cdef vec[4] s
    cdef vec w
    cdef Py_ssize_t t, i
    for i in range(5):
        near[i] = sums[0]
    for i in range(width):
        s[i] = sums[i]
    for t in range(count // 2):
        at = taps[t] + x
        a = <const vec*>at
        b = <const vec*>(taps[count - 1 - t] + x)
        w = weights[t]
        if SHUFFLES > 1 and width == 4:
            lanes = RAMP + <Py_ssize_t>(<size_t>at % 64) // 4
            at -= <size_t>at % 64
            if at != base:
                base = at
                for i in range(5):
                    near[i] = (<const vec*>base)[i]
            for i in range(width):
                if parity > 0:
                    s[i] = s[i] + (shuffled(near[i], near[i + 1], lanes) + b[i]) * w
                else:
                    s[i] = s[i] + (shuffled(near[i], near[i + 1], lanes) - b[i]) * w
        else:
            for i in range(width):
                if parity > 0:
                    s[i] = s[i] + (a[i] + b[i]) * w
                else:
                    s[i] = s[i] + (a[i] - b[i]) * w
    for i in range(width):
        sums[i] = s[i]


cdef inline void twofold_row(const char* src, Py_ssize_t step, Py_ssize_t count, const vec* weights,
                             const vec* more, const int32_t* lanes, Py_ssize_t advance, char* out,
                             Py_ssize_t nbytes) noexcept nogil:
    """Two numbers for each one of a row: sums of `count` numbers `step` bytes apart, and of as many from the next on.

    `lanes` puts the two together into two vectors, of which `advance` bytes each are whole pixels.
    """
    cdef Py_ssize_t x = 0, t
    cdef vec a, b
    while x < nbytes:
        a = (<const vec*>src)[0] * weights[0]
        b = (<const vec*>(src + step))[0] * more[0]
        for t in range(1, count):
            a = a + (<const vec*>(src + t * step))[0] * weights[t]
            b = b + (<const vec*>(src + (t + 1) * step))[0] * more[t]
        (<vec*>out)[0] = shuffled(a, b, lanes)
        (<vec*>(out + VECTOR_BYTES))[0] = shuffled(a, b, lanes + VECTOR_BYTES // 4)
        src += advance
        out += 2 * advance
        x += advance


# ---- sums without weights, and maxima -------------------------------------------------

cdef inline void add_rows(char* out, const char* a, const char* b, Py_ssize_t nbytes, vec unused) noexcept nogil:
    """out = a + b in whole vectors; out may be a, when b lies to the right of it."""
    cdef Py_ssize_t n, x
    cdef vec s
    for n in range(nbytes // VECTOR_BYTES):
        x = n * VECTOR_BYTES
        s = (<const vec*>(a + x))[0] + (<const vec*>(b + x))[0]
        (<vec*>(out + x))[0] = s


cdef inline void sum_upwards(char** rows, Py_ssize_t first, Py_ssize_t count, Py_ssize_t nbytes, vec unused) noexcept nogil:
    """In place: each of rows first ... count becomes its sum with all rows below it."""
    cdef Py_ssize_t n, x, t
    cdef vec s
    for n in range(nbytes // VECTOR_BYTES):
        x = n * VECTOR_BYTES
        s = (<vec*>(rows[count - 1] + x))[0]
        for t in range(count - 2, first - 1, -1):
            s = s + (<vec*>(rows[t] + x))[0]
            (<vec*>(rows[t] + x))[0] = s


ctypedef fused whole_pixel:
    uint8_t
    uint16_t


ctypedef fused total:
    uint16_t
    uint32_t


cdef inline void slide(total* sums, const whole_pixel* entering, const whole_pixel* leaving, Py_ssize_t n) noexcept nogil:
    """Sums of columns, one row further down. Differences wrap, and wrap back."""
    cdef Py_ssize_t x
    if leaving == NULL:
        for x in range(n):
            sums[x] = <total>(sums[x] + entering[x])
    else:
        for x in range(n):
            sums[x] = <total>(sums[x] + entering[x] - leaving[x])


# How a sum becomes a byte: by a multiplication that divides exactly; or by the scale, with or without halves that are
# exact; rounded half to even.
ctypedef struct Mean:
    float scale
    int shift                  # or BY_SCALE, EXACT_HALVES
    uint16_t multiplier, divisor

cdef enum:
    BY_SCALE = -1
    EXACT_HALVES = -2


cdef inline void scaled_words(const uint32_t* sums, const uint32_t* less, double scale, uint16_t* out,
                              Py_ssize_t n) noexcept nogil:
    """Scaled sums, less others unless NULL, whose differences wrap; rounded half to even and saturated."""
    cdef Py_ssize_t x
    cdef double value
    for x in range(n):
        value = <double>(sums[x] if less == NULL else <uint32_t>(sums[x] - less[x])) * scale
        value = value if value < 65535 else 65535
        out[x] = <uint16_t>double_bits(value + 6755399441055744.0)


cdef inline void scaled_bytes(const total* sums, const total* less, float scale, uint8_t* out,
                              Py_ssize_t n) noexcept nogil:
    """Scaled sums, less others unless NULL; none of the differences is negative or beyond 2**24."""
    cdef Py_ssize_t x
    cdef float value
    for x in range(n):
        value = <float><int32_t>(sums[x] if less == NULL else sums[x] - less[x]) * scale
        value = value if value < 255 else 255
        out[x] = <uint8_t>float_bits(value + <float>12582912.0)


cdef enum:
    FEW = 9


cdef inline void sum_each(const total* columns, Py_ssize_t count, Py_ssize_t step, total* out,
                          Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t x, t
    cdef total sum
    for x in range(n):
        sum = columns[x]
        for t in range(1, count):
            sum = <total>(sum + columns[x + t * step])
        out[x] = sum


cdef inline void sum_few(const total* columns, Py_ssize_t count, Py_ssize_t step, total* out,
                         Py_ssize_t n) noexcept nogil:
    """Sums of up to FEW numbers `step` apart."""
    if count == 3:  # constants, so that the compiler makes a loop for each
        sum_each(columns, 3, step, out, n)
    elif count == 5:
        sum_each(columns, 5, step, out, n)
    elif count == 7:
        sum_each(columns, 7, step, out, n)
    elif count == 9:
        sum_each(columns, 9, step, out, n)
    elif count == 4:
        sum_each(columns, 4, step, out, n)
    elif count == 6:
        sum_each(columns, 6, step, out, n)
    elif count == 8:
        sum_each(columns, 8, step, out, n)
    elif count == 2:
        sum_each(columns, 2, step, out, n)
    else:
        sum_each(columns, 1, step, out, n)


cdef inline void mean_bytes(const uint16_t* sums, const Mean* mean, uint8_t* out, Py_ssize_t n) noexcept nogil:
    """Sums as bytes."""
    cdef Py_ssize_t x
    cdef uint16_t half = mean.divisor // 2
    cdef float value
    cdef uint32_t quotient
    if mean.shift == BY_SCALE:
        scaled_bytes(sums, <const uint16_t*>NULL, mean.scale, out, n)
    elif mean.shift == EXACT_HALVES:
        # Up to 257 pixels a mean is a half, or 1/514 off one at least: multiples of 1/1024 keep both apart.
        for x in range(n):
            value = <float><int32_t>sums[x] * mean.scale
            value = (value + <float>12288.0) - <float>12288.0
            out[x] = <uint8_t>float_bits(value + <float>12582912.0)
    else:
        for x in range(quotient_bytes(sums, mean.divisor, mean.multiplier, mean.shift, out, n), n):
            left_over()
            quotient = <uint32_t>(<uint16_t>(sums[x] + half)) * mean.multiplier >> (16 + mean.shift)
            if mean.divisor % 2 == 0 and quotient * mean.divisor == <uint32_t>(sums[x] + half):
                quotient -= quotient & 1
            out[x] = <uint8_t>quotient


cdef inline void mean_windows(const uint16_t* columns, Py_ssize_t count, Py_ssize_t step, const Mean* mean,
                              uint16_t* sums, uint8_t* out, Py_ssize_t n) noexcept nogil:
    """Means of up to FEW numbers `step` apart, which add up in 16 bits; `sums` is room for `n`."""
    cdef Py_ssize_t x = 0
    if mean.shift >= 0:
        x = window_quotients(columns, count, step, mean.divisor, mean.multiplier, mean.shift, out, n)
    sum_few(columns + x, count, step, sums, n - x)
    mean_bytes(sums, mean, out + x, n - x)


cdef inline void reciprocal(Py_ssize_t divisor, Mean* mean) noexcept nogil:
    """How `mean_bytes` divides, if possible with `quotient_bytes`.

    With m = ceil(2**(16 + shift) / d) and e = m d - 2**(16 + shift), n m >> (16 + shift) is n // d while
    e n < 2**(16 + shift). (Granlund and Montgomery, "Division by invariant integers using multiplication", PLDI 1994.)
    """
    cdef int shift = 0
    cdef Py_ssize_t power, m, most = 255 * divisor + divisor // 2
    while (2 << shift) < divisor:
        shift += 1
    power = <Py_ssize_t>1 << (16 + shift)
    m = (power + divisor - 1) // divisor
    mean.multiplier, mean.divisor, mean.shift = <uint16_t>m, <uint16_t>divisor, EXACT_HALVES
    if most <= 65535 and m <= 65535 and (m * divisor - power) * most < power:
        mean.shift = shift


# ---- area: means of blocks ----------------------------------------------------------

cdef inline vec shuffled(vec a, vec b, const int32_t* at) noexcept nogil:
    if vec is vf32:
        return shuffle_f32(a, b, at)
    else:
        return shuffle_f64(a, b, at)


cdef inline void block_means(const char** rows, Py_ssize_t tall, Py_ssize_t wide, Py_ssize_t channels,
                             Py_ssize_t lanes, const int32_t* at, const vec* scale, char* out,
                             Py_ssize_t n) noexcept nogil:
    """Scaled sums of `n` blocks of tall rows and wide pixels, down the columns first.

    A step of vectors makes `lanes` numbers from two vectors of the sums of columns; none if that is 0. Nothing is
    read beyond the blocks, nor written beyond the numbers.
    """
    cdef Py_ssize_t each = VECTOR_BYTES // (4 if vec is vf32 else 8), size = 4 if vec is vf32 else 8
    cdef Py_ssize_t x = 0, i = 0, t, r
    cdef vec a, b, total
    if lanes:
        while i + 2 * each <= n * wide and x + each <= n:
            a = (<const vec*>(rows[0] + i * size))[0]
            b = (<const vec*>(rows[0] + i * size))[1]
            for r in range(1, tall):
                a = a + (<const vec*>(rows[r] + i * size))[0]
                b = b + (<const vec*>(rows[r] + i * size))[1]
            total = shuffled(a, b, at)
            for t in range(1, wide):
                total = total + shuffled(a, b, at + t * (VECTOR_BYTES // 4))
            (<vec*>(out + x * size))[0] = total * scale[0]
            x += lanes
            i += lanes * wide
    if vec is vf32:
        block_numbers(rows, tall, wide, channels, <const float*>scale, <float*>out, x, n)
    else:
        block_numbers(rows, tall, wide, channels, <const double*>scale, <double*>out, x, n)


cdef inline void block_numbers(const char** rows, Py_ssize_t tall, Py_ssize_t wide, Py_ssize_t channels,
                               const number* scale, number* out, Py_ssize_t x, Py_ssize_t n) noexcept nogil:
    """Numbers x to n of what block_means computes; pixels are whole."""
    cdef Py_ssize_t i = x * wide, c, t, r
    cdef number column, total
    while x < n:
        for c in range(channels):
            total = 0
            for t in range(wide):
                column = (<const number*>rows[0])[i + t * channels + c]
                for r in range(1, tall):
                    column = column + (<const number*>rows[r])[i + t * channels + c]
                total = column if t == 0 else total + column
            out[x + c] = total * scale[0]
        x += channels
        i += wide * channels


cdef inline void sums_of_blocks(const uint16_t* columns, Py_ssize_t wide, Py_ssize_t channels, uint16_t* out,
                                Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t x = 0, i = 0, c, t
    cdef uint16_t sum
    while x < n:
        for c in range(channels):
            sum = columns[i + c]
            for t in range(1, wide):
                sum = <uint16_t>(sum + columns[i + t * channels + c])
            out[x + c] = sum
        x += channels
        i += wide * channels


cdef inline void byte_blocks(const uint8_t** rows, Py_ssize_t tall, Py_ssize_t wide, Py_ssize_t channels,
                             Py_ssize_t lanes, const int16_t* at, uint16_t* columns, uint16_t* sums,
                             Py_ssize_t n) noexcept nogil:
    """Sums of `n` blocks of bytes; up to a vector more is written. `columns` has room for the sums of columns."""
    cdef Py_ssize_t x = 0, t
    if lanes and tall == 2 and wide == 2:  # constants, so that the compiler unrolls
        x = block_sums(rows, 2, 2, lanes, at, sums, n)
    elif lanes:
        x = block_sums(rows, tall, wide, lanes, at, sums, n)
    if x < n:
        memset(columns, 0, (n - x) * wide * sizeof(uint16_t))
        for t in range(tall):
            slide(columns, rows[t] + x * wide, NULL, (n - x) * wide)
        if wide == 2 and channels == 1:  # constants, so that the compiler makes loops of vectors
            sums_of_blocks(columns, 2, 1, sums + x, n - x)
        elif wide == 2 and channels == 3:
            sums_of_blocks(columns, 2, 3, sums + x, n - x)
        else:
            sums_of_blocks(columns, wide, channels, sums + x, n - x)


# ---- whole: sums of bytes under small whole taps, exact in 16 bits -----------------------

ctypedef fused whole:
    uint8_t
    int16_t


ctypedef fused whole_result:
    int16_t
    float


cdef inline void whole_taps(const whole** taps, const int16_t* weights, Py_ssize_t count, int parity, float scale,
                            whole_result* out, Py_ssize_t n) noexcept nogil:
    """Sums of 3 rows, as whole numbers or scaled."""
    cdef Py_ssize_t x
    cdef int16_t v = weights[0], w = weights[1], s
    cdef const whole* a = taps[0]
    cdef const whole* b = taps[1]
    cdef const whole* c = taps[2]
    for x in range(n):
        if parity > 0:
            s = <int16_t>(<int16_t>(<int16_t>a[x] + <int16_t>c[x]) * v + <int16_t>b[x] * w)
        else:
            s = <int16_t>(<int16_t>(<int16_t>a[x] - <int16_t>c[x]) * v)
        if whole_result is int16_t:
            out[x] = s
        else:
            out[x] = <float>s * scale


cdef inline void whole_rows(const whole** taps, const int16_t* weights, Py_ssize_t count, int parity, float scale,
                            int16_t* sums, whole_result* out, Py_ssize_t n) noexcept nogil:
    """Weighted sums of `count` rows, as whole numbers or scaled; `sums` is room for a line."""
    cdef Py_ssize_t x, t
    cdef int16_t w = weights[0]
    cdef const whole* a = taps[0]
    if count == 3 and parity > 0:  # constants, so that the compiler makes a loop for each
        whole_taps(taps, weights, 3, 1, scale, out, n)
    elif count == 3 and parity < 0:
        whole_taps(taps, weights, 3, -1, scale, out, n)
    else:
        for x in range(n):
            sums[x] = <int16_t>(a[x] * w)
        for t in range(1, count):
            a, w = taps[t], weights[t]
            for x in range(n):
                sums[x] = <int16_t>(sums[x] + a[x] * w)
        for x in range(n):
            if whole_result is int16_t:
                out[x] = sums[x]
            else:
                out[x] = <float>sums[x] * scale


# ---- levels: bytes less 128, times 128, in 16 bits, for interpolation from bytes to bytes -------

cdef inline void widen_bytes(const uint8_t* pixels, int16_t* out, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t x
    for x in range(n):
        out[x] = pixels[x]


cdef inline void narrow_levels(const int16_t* levels, uint8_t* out, Py_ssize_t n) noexcept nogil:
    """What lies between 0 and 255."""
    cdef Py_ssize_t x
    for x in range(n):
        out[x] = <uint8_t>levels[x]


cdef inline void lift(const uint8_t* pixels, int16_t* levels, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t x
    for x in range(n):
        levels[x] = <int16_t>((pixels[x] - 128) * 128)


ctypedef fused level:
    int16_t
    uint8_t


cdef inline void blend_taps(const int16_t** rows, const int16_t* weights, Py_ssize_t count, level* out,
                            Py_ssize_t n) noexcept nogil:
    """Sums of 1 to 4 rows, weighted in parts of 2**15: as levels, or rounded to bytes and saturated."""
    cdef const int16_t* a = rows[0]
    cdef const int16_t* b = rows[1] if count > 1 else a
    cdef const int16_t* c = rows[2] if count > 2 else a
    cdef const int16_t* d = rows[3] if count > 3 else a
    cdef int16_t v = weights[0], w = weights[1] if count > 1 else 0
    cdef int16_t p = weights[2] if count > 2 else 0, q = weights[3] if count > 3 else 0, s
    cdef Py_ssize_t x
    for x in range(n):
        s = share(a[x], v)
        if count > 1:
            s = <int16_t>(s + share(b[x], w))
        if count > 2:
            s = <int16_t>(s + share(c[x], p))
        if count > 3:
            s = <int16_t>(s + share(d[x], q))
        if level is uint8_t:
            s = <int16_t>(((s + 64) >> 7) + 128)
            s = 0 if s < 0 else s
            s = 255 if s > 255 else s
        out[x] = <level>s


cdef inline void blend_rows(const int16_t** rows, const int16_t* weights, Py_ssize_t count, level* out,
                            Py_ssize_t n) noexcept nogil:
    if count == 1:  # constants, so that the compiler makes a loop for each
        blend_taps(rows, weights, 1, out, n)
    elif count == 2:
        blend_taps(rows, weights, 2, out, n)
    elif count == 3:
        blend_taps(rows, weights, 3, out, n)
    else:
        blend_taps(rows, weights, 4, out, n)


cdef inline Py_ssize_t window_levels(Py_ssize_t count) noexcept nogil:
    """How many windows of 4, 16, 64 ... numbers are not longer than `count`."""
    cdef Py_ssize_t levels = 0
    while count >= 4:
        count //= 4
        levels += 1
    return levels


cdef inline void add_four(const char* row, Py_ssize_t apart, char* out, Py_ssize_t nbytes, vec unused) noexcept nogil:
    """The sum of four numbers `apart` bytes from each other, in whole vectors."""
    cdef Py_ssize_t n
    cdef vec s
    cdef const char* at = row
    for n in range(nbytes // VECTOR_BYTES):
        s = ((<const vec*>at)[0] + (<const vec*>(at + apart))[0]) + (<const vec*>(at + 2 * apart))[0]
        (<vec*>out)[0] = s + (<const vec*>(at + 3 * apart))[0]
        at += VECTOR_BYTES
        out += VECTOR_BYTES


cdef inline void add_all(const char** rows, Py_ssize_t x, Py_ssize_t count, const vec* scale, bint stream, char* out,
                         Py_ssize_t width, vec unused) noexcept nogil:
    cdef vec[4] s
    cdef Py_ssize_t i, t
    for i in range(width):
        s[i] = (<const vec*>(rows[0] + x + i * VECTOR_BYTES))[0]
    for t in range(1, count):
        for i in range(width):
            s[i] = s[i] + (<const vec*>(rows[t] + x + i * VECTOR_BYTES))[0]
    store(out + x, VECTOR_BYTES, scale, s, width, stream)


cdef inline void window_sums(const char* row, char* levels, Py_ssize_t level_step, Py_ssize_t count, Py_ssize_t step,
                             const vec* scale, bint stream, const char* ahead, char* out, Py_ssize_t nbytes,
                             vec unused) noexcept nogil:
    """Scaled sums of `count` numbers `step` bytes apart. Exactly `nbytes` are written, one vector at least.

    `levels` has room for `level_step` bytes of the sums of 4, 16, 64 ... numbers each; the digits of `count` to base
    4 say which of these to add up, largest first.
    """
    cdef const char *rows[64]
    cdef const char* source = row
    cdef Py_ssize_t n = window_levels(count), level, width = 1, terms = 0, done = 0, x = 0
    for level in range(n):
        add_four(source, width * step, levels + level * level_step, padded_bytes(nbytes + (count - 4 * width) * step), unused)
        source = levels + level * level_step
        width *= 4
    for level in range(n, -1, -1):
        source = levels + (level - 1) * level_step if level else row
        while done + width <= count:
            rows[terms] = source + done * step
            terms += 1
            done += width
        width //= 4
    while x + 4 * VECTOR_BYTES <= nbytes:
        for level in range(4 * VECTOR_BYTES // 64):
            prefetch(ahead + x + 64 * level)
        add_all(rows, x, terms, scale, stream, out, 4, unused)
        x += 4 * VECTOR_BYTES
    while x < nbytes:
        add_all(rows, min(x, nbytes - VECTOR_BYTES), terms, scale, stream and x + VECTOR_BYTES <= nbytes, out, 1, unused)
        x += VECTOR_BYTES


cdef inline Py_ssize_t padded_bytes(Py_ssize_t nbytes) noexcept nogil:
    return (nbytes + VECTOR_BYTES - 1) // VECTOR_BYTES * VECTOR_BYTES


cdef inline void scaled_sum(const char* a, const char* b, const vec* scale, bint stream, char* out,
                            Py_ssize_t nbytes, vec unused) noexcept nogil:
    """(a + b) * scale, or a * scale for b == NULL. Exactly `nbytes` are written, one vector at least."""
    cdef Py_ssize_t x = 0, last = nbytes - VECTOR_BYTES
    cdef vec s
    while x < nbytes:
        s = (<const vec*>(a + min(x, last)))[0]
        if b != NULL:
            s = s + (<const vec*>(b + min(x, last)))[0]
        put(<vec*>(out + min(x, last)), s if scale == NULL else s * scale[0], stream and x <= last)
        x += VECTOR_BYTES


cdef inline void number_sum(const char** taps, Py_ssize_t x, Py_ssize_t count, const number* weights,
                            const number* scale, number* out) noexcept nogil:
    """The number at byte x of what plain_sum computes; weights are a vector apart."""
    cdef number s = (<const number*>(taps[0] + x))[0] * weights[0]
    cdef Py_ssize_t t, step = VECTOR_BYTES // <Py_ssize_t>sizeof(number)
    for t in range(1, count):
        one_by_one()
        s = s + (<const number*>(taps[t] + x))[0] * weights[t * step]
    out[0] = s if scale == NULL else s * scale[0]


cdef inline void periodic_rows(const char** taps, Py_ssize_t count, const vec* weights, Py_ssize_t positions,
                               const Py_ssize_t* first, Py_ssize_t period, const vec* scale, bint stream,
                               char* out, Py_ssize_t out_period, const char* ahead, Py_ssize_t nbytes) noexcept nogil:
    """Weighted sum of `count` rows whose weights repeat every `period` bytes, for `nbytes`.

    The vectors of a period begin at bytes first[p]; the weights of one are weights[p * count :]. Periods go to
    places `out_period` bytes apart. Exactly what they hold is written. Memory at `ahead` is asked for.
    """
    cdef Py_ssize_t start = 0, p, x, i, size = sizeof(float) if vec is vf32 else sizeof(double)
    # Four periods at a time, all of their vectors one after the other: the result is written in order.
    while first[positions - 1] + start + 3 * period + VECTOR_BYTES <= nbytes:
        for p in range(positions):
            plain_sum(taps, start + first[p], period, count, weights + p * count, scale, stream, out + first[p],
                      out_period, 4)
        if ahead != NULL:
            for i in range((4 * period + 63) // 64):
                prefetch(ahead + start + 64 * i)
        start += 4 * period
        out += 4 * out_period
    while start < nbytes:
        for p in range(positions):
            x = start + first[p]
            if x + VECTOR_BYTES <= nbytes:
                plain_sum(taps, x, period, count, weights + p * count, scale, stream, out + first[p], out_period, 1)
                continue
            # A vector that is cut goes number by number: what lies beyond is not ours to read.
            for i in range((nbytes - x) // size if x < nbytes else 0):
                if vec is vf32:
                    number_sum(taps, x + i * size, count, <const float*>(weights + p * count) + i,
                               <const float*>scale, <float*>(out + first[p]) + i)
                else:
                    number_sum(taps, x + i * size, count, <const double*>(weights + p * count) + i,
                               <const double*>scale, <double*>(out + first[p]) + i)
        start += period
        out += out_period


cdef inline vec splat(const char* number, vec unused) noexcept nogil:
    if vec is vf32:
        return splat_f32(number)
    else:
        return splat_f64(number)


cdef inline vec madd(vec a, vec b, vec c) noexcept nogil:
    if vec is vf32:
        return madd_f32(a, b, c)
    else:
        return madd_f64(a, b, c)


ctypedef struct Dense:
    Py_ssize_t tall, wide          # rows and columns of the taps
    Py_ssize_t step                # bytes from a column of them to the next
    Py_ssize_t apart               # bytes from a vector of a line to the next, where weights are vectors
    const char* weights            # weights[r * wide + c], a number each, or a vector
    const void* bias               # added to all sums, where weights are vectors
    # lines[r * wide + c] has bit i set when input row r under column c counts for output line i.
    const unsigned char* lines
    const void* scale
    bint stream


cdef inline vec add_product(vec a, vec w, vec s, bint fused) noexcept nogil:
    return madd(a, w, s) if fused else s + a * w


cdef inline void dense_store(const Dense* k, char* out, vec s0, vec s1, vec s2, vec s3, Py_ssize_t width,
                             bint vectors) noexcept nogil:
    cdef vec[4] s = [s0, s1, s2, s3]
    cdef Py_ssize_t i
    if vectors:
        for i in range(width):
            s[i] = s[i] + (<const vec*>k.bias)[0]
    store(out, k.apart if vectors else VECTOR_BYTES, <const vec*>k.scale, s, width, k.stream)


cdef inline vec weight(const char* at, bint vectors, vec unused) noexcept nogil:
    return (<const vec*>at)[0] if vectors else splat(at, unused)


cdef inline void dense_tile(const Dense* k, const char** rows, Py_ssize_t x, Py_ssize_t count, char* out,
                            Py_ssize_t out_step, Py_ssize_t width, bint fused, bint vectors, vec unused) noexcept nogil:
    """`count` <= DENSE_ROWS output lines, `width` vectors of each: what is loaded serves every line.

    Weights are numbers, or `vectors` of one for each channel.
    Lines and vectors (1, 2 or 4) have names, for GCC keeps no array in registers that a branch may leave alone.
    """
    cdef vec zero = unused - unused, w, a0, a1, a2, a3
    cdef vec s00, s01, s02, s03, s10, s11, s12, s13, s20, s21, s22, s23
    cdef vec s30, s31, s32, s33, s40, s41, s42, s43, s50, s51, s52, s53
    cdef Py_ssize_t r, c, size = sizeof(float) if vec is vf32 else sizeof(double)
    cdef Py_ssize_t unit = VECTOR_BYTES if vectors else size, apart = k.apart if vectors else VECTOR_BYTES
    cdef Py_ssize_t wide = k.wide, step = k.step, back = wide * unit
    cdef const char* at
    cdef const char* tap
    cdef const unsigned char* lines = k.lines
    cdef int wanted, limit = (1 << count) - 1
    # Adding to -0 changes nothing, not even the sign of a zero.
    s00 = s01 = s02 = s03 = s10 = s11 = s12 = s13 = s20 = s21 = s22 = s23 = -zero
    s30 = s31 = s32 = s33 = s40 = s41 = s42 = s43 = s50 = s51 = s52 = s53 = -zero
    a1 = a2 = a3 = zero
    for r in range(k.tall + count - 1):
        at = rows[r] + x
        tap = k.weights + r * back
        for c in range(wide):
            wanted = lines[c] & limit
            a0 = (<const vec*>at)[0]
            if width > 1:
                a1 = (<const vec*>(at + apart))[0]
            if width > 2:
                a2 = (<const vec*>(at + 2 * apart))[0]
                a3 = (<const vec*>(at + 3 * apart))[0]
            if expected(wanted & 1):
                w = weight(tap, vectors, zero)
                s00 = add_product(a0, w, s00, fused)
                if width > 1:
                    s01 = add_product(a1, w, s01, fused)
                if width > 2:
                    s02 = add_product(a2, w, s02, fused)
                    s03 = add_product(a3, w, s03, fused)
            if expected(wanted & 2):
                w = weight(tap - back, vectors, zero)
                s10 = add_product(a0, w, s10, fused)
                if width > 1:
                    s11 = add_product(a1, w, s11, fused)
                if width > 2:
                    s12 = add_product(a2, w, s12, fused)
                    s13 = add_product(a3, w, s13, fused)
            if expected(wanted & 4):
                w = weight(tap - 2 * back, vectors, zero)
                s20 = add_product(a0, w, s20, fused)
                if width > 1:
                    s21 = add_product(a1, w, s21, fused)
                if width > 2:
                    s22 = add_product(a2, w, s22, fused)
                    s23 = add_product(a3, w, s23, fused)
            if expected(wanted & 8):
                w = weight(tap - 3 * back, vectors, zero)
                s30 = add_product(a0, w, s30, fused)
                if width > 1:
                    s31 = add_product(a1, w, s31, fused)
                if width > 2:
                    s32 = add_product(a2, w, s32, fused)
                    s33 = add_product(a3, w, s33, fused)
            if expected(wanted & 16):
                w = weight(tap - 4 * back, vectors, zero)
                s40 = add_product(a0, w, s40, fused)
                if width > 1:
                    s41 = add_product(a1, w, s41, fused)
                if width > 2:
                    s42 = add_product(a2, w, s42, fused)
                    s43 = add_product(a3, w, s43, fused)
            if expected(wanted & 32):
                w = weight(tap - 5 * back, vectors, zero)
                s50 = add_product(a0, w, s50, fused)
                if width > 1:
                    s51 = add_product(a1, w, s51, fused)
                if width > 2:
                    s52 = add_product(a2, w, s52, fused)
                    s53 = add_product(a3, w, s53, fused)
            at += step
            tap += unit
        lines += wide
    out += x
    dense_store(k, out, s00, s01, s02, s03, width, vectors)
    if count > 1:
        dense_store(k, out + out_step, s10, s11, s12, s13, width, vectors)
    if count > 2:
        dense_store(k, out + 2 * out_step, s20, s21, s22, s23, width, vectors)
    if count > 3:
        dense_store(k, out + 3 * out_step, s30, s31, s32, s33, width, vectors)
    if count > 4:
        dense_store(k, out + 4 * out_step, s40, s41, s42, s43, width, vectors)
    if count > 5:
        dense_store(k, out + 5 * out_step, s50, s51, s52, s53, width, vectors)


# ---- channel mixing -------------------------------------------------------------------

ctypedef struct Tile:
    const char** runs          # where the numbers under the first pixel begin: `count` runs of `length` each
    Py_ssize_t count, length
    Py_ssize_t step, out_step  # bytes from a pixel to the next
    const void* weights        # for each number `width` vectors
    const void* bias
    const void* scale          # or NULL
    Py_ssize_t second          # where in a pixel of the result the second vector goes
    Py_ssize_t partial         # bytes of a vector that is cut; 0: it is not
    bint stream
    const char* ahead          # memory to ask for, `step` bytes for a pixel; or NULL


cdef inline void mix_store(const Tile* t, char* out, vec a, vec b, Py_ssize_t width) noexcept nogil:
    """The channels of a pixel."""
    if t.scale != NULL:
        a = a * (<const vec*>t.scale)[0]
        b = b * (<const vec*>t.scale)[0]
    if t.partial:
        if vec is vf32:
            store_part_f32(out, a, t.partial)
        else:
            store_part_f64(out, a, t.partial)
        return
    put(<vec*>out, a, t.stream)
    if width > 1:
        put(<vec*>(out + t.second), b, t.stream)


cdef inline void mix_tile(const Tile* t, Py_ssize_t x, char* out, Py_ssize_t pixels, Py_ssize_t width,
                          bint twice, vec unused) noexcept nogil:
    """`width` vectors of channels of `pixels` pixels from pixel x on, all of it in registers.

    With `twice`, one vector of twice as many pixels. Every sum has a name, since GCC would keep an array of
    them in memory before and after the loop, which takes longer than a short loop: a and b are the vectors of
    a pixel, or of a pixel of the first half and of the second.
    """
    cdef vec a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11
    cdef vec b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11
    cdef vec v, w0, w1 = unused
    cdef Py_ssize_t r, j, size = sizeof(float) if vec is vf32 else sizeof(double)
    cdef Py_ssize_t step = t.step, step3 = 3 * step, length = t.length, out_step = t.out_step
    cdef const vec* weights = <const vec*>t.weights
    cdef const char* at
    cdef const char* at4
    cdef const char* at8
    cdef const char* more
    cdef const char* more4
    cdef const char* more8
    if t.ahead != NULL:
        for j in range(((2 if twice else 1) * pixels * step + 63) // 64):
            prefetch(t.ahead + x * step + 64 * j)
    a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = a8 = a9 = a10 = a11 = (<const vec*>t.bias)[0]
    b0 = b1 = b2 = b3 = b4 = b5 = b6 = b7 = b8 = b9 = b10 = b11 = (<const vec*>t.bias)[width - 1]
    for r in range(t.count):
        at = t.runs[r] + x * step
        at4, at8 = at + 4 * step, at + 8 * step
        more = at + pixels * step
        more4, more8 = more + 4 * step, more + 8 * step
        for j in range(length):
            # A line of weights is used up in the time that the next takes to arrive from the second-level cache.
            w0 = weights[0]
            prefetch(<const char*>(weights + 16 * width))
            if width > 1:
                w1 = weights[1]
                prefetch(<const char*>(weights + 16 * width + 1))
            v = splat(at, w0)
            a0 = madd(v, w0, a0)
            if width > 1:
                b0 = madd(v, w1, b0)
            if twice:
                b0 = madd(splat(more, w0), w0, b0)
            if pixels > 1:
                v = splat(at + step, w0)
                a1 = madd(v, w0, a1)
                if width > 1:
                    b1 = madd(v, w1, b1)
                if twice:
                    b1 = madd(splat(more + step, w0), w0, b1)
            if pixels > 2:
                v = splat(at + 2 * step, w0)
                a2 = madd(v, w0, a2)
                if width > 1:
                    b2 = madd(v, w1, b2)
                if twice:
                    b2 = madd(splat(more + 2 * step, w0), w0, b2)
                v = splat(at + step3, w0)
                a3 = madd(v, w0, a3)
                if width > 1:
                    b3 = madd(v, w1, b3)
                if twice:
                    b3 = madd(splat(more + step3, w0), w0, b3)
            if pixels > 4:
                v = splat(at4, w0)
                a4 = madd(v, w0, a4)
                if width > 1:
                    b4 = madd(v, w1, b4)
                if twice:
                    b4 = madd(splat(more4, w0), w0, b4)
                v = splat(at4 + step, w0)
                a5 = madd(v, w0, a5)
                if width > 1:
                    b5 = madd(v, w1, b5)
                if twice:
                    b5 = madd(splat(more4 + step, w0), w0, b5)
            if pixels > 6:
                v = splat(at4 + 2 * step, w0)
                a6 = madd(v, w0, a6)
                if width > 1:
                    b6 = madd(v, w1, b6)
                if twice:
                    b6 = madd(splat(more4 + 2 * step, w0), w0, b6)
                v = splat(at4 + step3, w0)
                a7 = madd(v, w0, a7)
                if width > 1:
                    b7 = madd(v, w1, b7)
                if twice:
                    b7 = madd(splat(more4 + step3, w0), w0, b7)
                v = splat(at8, w0)
                a8 = madd(v, w0, a8)
                if width > 1:
                    b8 = madd(v, w1, b8)
                if twice:
                    b8 = madd(splat(more8, w0), w0, b8)
                v = splat(at8 + step, w0)
                a9 = madd(v, w0, a9)
                if width > 1:
                    b9 = madd(v, w1, b9)
                if twice:
                    b9 = madd(splat(more8 + step, w0), w0, b9)
                v = splat(at8 + 2 * step, w0)
                a10 = madd(v, w0, a10)
                if width > 1:
                    b10 = madd(v, w1, b10)
                if twice:
                    b10 = madd(splat(more8 + 2 * step, w0), w0, b10)
                v = splat(at8 + step3, w0)
                a11 = madd(v, w0, a11)
                if width > 1:
                    b11 = madd(v, w1, b11)
                if twice:
                    b11 = madd(splat(more8 + step3, w0), w0, b11)
            at += size
            at4 += size
            at8 += size
            more += size
            more4 += size
            more8 += size
            weights += width
    out += x * out_step
    mix_store(t, out, a0, b0, width)
    if pixels > 1:
        mix_store(t, out + out_step, a1, b1, width)
    if pixels > 2:
        mix_store(t, out + 2 * out_step, a2, b2, width)
        mix_store(t, out + 3 * out_step, a3, b3, width)
    if pixels > 4:
        mix_store(t, out + 4 * out_step, a4, b4, width)
        mix_store(t, out + 5 * out_step, a5, b5, width)
    if pixels > 6:
        mix_store(t, out + 6 * out_step, a6, b6, width)
        mix_store(t, out + 7 * out_step, a7, b7, width)
        mix_store(t, out + 8 * out_step, a8, b8, width)
        mix_store(t, out + 9 * out_step, a9, b9, width)
        mix_store(t, out + 10 * out_step, a10, b10, width)
        mix_store(t, out + 11 * out_step, a11, b11, width)
    if not twice:
        return
    out += pixels * out_step
    mix_store(t, out, b0, b0, 1)
    if pixels > 1:
        mix_store(t, out + out_step, b1, b1, 1)
    if pixels > 2:
        mix_store(t, out + 2 * out_step, b2, b2, 1)
        mix_store(t, out + 3 * out_step, b3, b3, 1)
    if pixels > 4:
        mix_store(t, out + 4 * out_step, b4, b4, 1)
        mix_store(t, out + 5 * out_step, b5, b5, 1)
    if pixels > 6:
        mix_store(t, out + 6 * out_step, b6, b6, 1)
        mix_store(t, out + 7 * out_step, b7, b7, 1)
        mix_store(t, out + 8 * out_step, b8, b8, 1)
        mix_store(t, out + 9 * out_step, b9, b9, 1)
        mix_store(t, out + 10 * out_step, b10, b10, 1)
        mix_store(t, out + 11 * out_step, b11, b11, 1)


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
                              const char* ahead,
                              char* out, Py_ssize_t nbytes) noexcept nogil:
    """Scaled root mean square of (smooth x difference, difference x smooth), columns `step` apart.

    `smoothed` and `differed` receive the two sums down the columns. Exactly `nbytes` are
    written, one vector at least. Returns whether a square left the safe range; `out` is then
    to be computed again from those. While the processor waits for roots, it is asked for
    the memory at `ahead`.
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
        prefetch(ahead + x)
        g = gradient_at(smoothed + x, differed + x, radius, step, smooth, difference, half, &unsafe)
        (<vec*>(out + x))[0] = g * scale[0]
    if nbytes % VECTOR_BYTES:
        x = nbytes - VECTOR_BYTES
        g = gradient_at(smoothed + x, differed + x, radius, step, smooth, difference, half, &unsafe)
        (<vec*>(out + x))[0] = g * scale[0]
    return any_lane(unsafe)


cdef inline void largest(number* most, const number* other, Py_ssize_t n) noexcept nogil:
    """The larger of two numbers; NaN if one is."""
    cdef Py_ssize_t i
    cdef number a, b
    for i in range(n):
        a, b = most[i], other[i]
        most[i] = a if (a > b) | (a != a) else b


# ---- edges that are one pixel wide ------------------------------------------------------

cdef inline void sobel_rows(const char* above, const char* here, const char* below, Py_ssize_t step, char* down,
                            char* along, char* magnitude, Py_ssize_t nbytes, vec unused) noexcept nogil:
    """Sobel's derivatives down the rows and along them, not halved, and their magnitude, in whole vectors.

    Results lie above the middle one of three pixels.
    """
    cdef Py_ssize_t n, x
    cdef vec i, j
    for n in range(nbytes // VECTOR_BYTES):
        x = n * VECTOR_BYTES
        i = (<const vec*>(below + x + step))[0] - (<const vec*>(above + x + step))[0]
        j = (<const vec*>(here + x + 2 * step))[0] - (<const vec*>(here + x))[0]
        i = (i + i) + (((<const vec*>(below + x))[0] - (<const vec*>(above + x))[0])
                       + ((<const vec*>(below + x + 2 * step))[0] - (<const vec*>(above + x + 2 * step))[0]))
        j = (j + j) + (((<const vec*>(above + x + 2 * step))[0] - (<const vec*>(above + x))[0])
                       + ((<const vec*>(below + x + 2 * step))[0] - (<const vec*>(below + x))[0]))
        (<vec*>(down + x))[0] = i
        (<vec*>(along + x))[0] = j
        (<vec*>(magnitude + x))[0] = root(i * i + j * j)


cdef inline void suppress_row(const number* down, const number* along, const number* above, const number* here,
                              const number* below, number low, number high, number* out, Py_ssize_t n) noexcept nogil:
    """1 where a magnitude is not below `low` nor below those a pixel away across the edge, 2 if not below `high`.

    Magnitudes lie one pixel further left than the derivatives. Branches would be hard to predict: all is computed.
    """
    cdef Py_ssize_t x
    cdef number i, j, m, w, large, small, plus, minus, rest, north, south, west, east, nw, ne, sw, se
    cdef bint steep, same
    for x in range(n):
        i, j, m = down[x], along[x], here[x + 1]
        north, south, west, east = above[x + 1], below[x + 1], here[x], here[x + 2]
        nw, ne, sw, se = above[x], above[x + 2], below[x], below[x + 2]
        same = (i > 0) == (j > 0)  # the gradient points down and right, or up and left
        i, j = -i if i < 0 else i, -j if j < 0 else j
        steep = i > j
        large, small = i if steep else j, j if steep else i
        w = small / large
        rest = 1 - w
        plus, minus = se if same else ne, nw if same else sw
        south, north = south if same else north, north if same else south
        plus = plus * w + (south if steep else east) * rest
        minus = minus * w + (north if steep else west) * rest
        w = 2 if m >= high else 1
        out[x] = w if (m >= low) & (plus <= m) & (minus <= m) else 0


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
