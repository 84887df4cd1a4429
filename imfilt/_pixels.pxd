# Types at the edge: pixels of any dtype <-> rows of float or double in scratch memory.

from libc.math cimport rint
from libc.stdint cimport (int8_t, int16_t, int32_t, int64_t,
                          uint8_t, uint16_t, uint32_t, uint64_t)
from libc.string cimport memcpy

cdef extern from "_simd.h" nogil:
    ctypedef struct half_t:
        unsigned short bits
    float half_to_float(half_t)
    half_t float_to_half(float)
    half_t double_to_half(double)
    int32_t float_bits(float)
    void left_over()
    void one_by_one()
    Py_ssize_t narrow_bytes(const float*, uint8_t*, Py_ssize_t)
    Py_ssize_t narrow_words(const float*, uint16_t*, Py_ssize_t)
    int64_t double_bits(double)

cdef extern from *:
    """
    #define swap_1(x) (x)
    #define swap_2(x) __builtin_bswap16(x)
    #define swap_4(x) __builtin_bswap32(x)
    #define swap_8(x) __builtin_bswap64(x)
    """
    uint8_t swap_1(uint8_t) nogil
    uint16_t swap_2(uint16_t) nogil
    uint32_t swap_4(uint32_t) nogil
    uint64_t swap_8(uint64_t) nogil

ctypedef fused real:
    float
    double

ctypedef fused pixel:
    uint8_t
    int8_t
    uint16_t
    int16_t
    uint32_t
    int32_t
    uint64_t
    int64_t
    half_t
    float
    double

# Loops for types that few images have are not made of vectors, which would take 30 KB of a build.
ctypedef fused rare_pixel:
    int8_t
    uint32_t
    uint64_t
    int64_t

ctypedef fused long_integer:
    uint32_t
    int32_t
    uint64_t
    int64_t

ctypedef fused word:
    uint8_t
    uint16_t
    uint32_t
    uint64_t

ctypedef void (*read_fn)(const char* src, char* dst, Py_ssize_t n, double low) noexcept nogil
ctypedef void (*write_fn)(const char* src, char* dst, Py_ssize_t n) noexcept nogil


cdef inline void widen(const pixel* src, real* dst, Py_ssize_t n, double low) noexcept nogil:
    """Pixels to numbers; signed integers not below `low`."""
    cdef Py_ssize_t i
    cdef real value, least = <real>low
    for i in range(n):
        if pixel is half_t:
            dst[i] = half_to_float(src[i])
        elif pixel is int8_t or pixel is int16_t or pixel is int32_t or pixel is int64_t:
            if pixel in rare_pixel:
                one_by_one()
            value = <real>src[i]
            dst[i] = least if value < least else value
        else:
            if pixel in rare_pixel:
                one_by_one()
            dst[i] = <real>src[i]


cdef inline long_integer saturate(double value, long_integer kind) noexcept nogil:
    """A double to a 32- or 64-bit integer. The limits are powers of two, exact as doubles."""
    cdef int bits = 8 * sizeof(long_integer)
    cdef double above, below
    if (<long_integer>-1) < 0:
        above = <double>(<uint64_t>1 << (bits - 1))
        below = -above
    else:
        above = 2.0 * <double>(<uint64_t>1 << (bits - 1))
        below = 0
    value = rint(value)
    if value >= above:
        return <long_integer>(((<uint64_t>1 << (bits - 1)) - 1) if below < 0 else <uint64_t>-1)
    if value <= below:
        return <long_integer>(-<int64_t>(<uint64_t>1 << (bits - 2)) * 2 if below < 0 else 0)
    if value == value:
        return <long_integer>value
    return 0


cdef inline void narrow(const real* src, pixel* dst, Py_ssize_t n) noexcept nogil:
    """Numbers to pixels: integers rounded half to even, saturated, NaN to 0."""
    cdef Py_ssize_t i, begin = 0
    cdef real value, least, most, shift
    if pixel is float or pixel is double:
        for i in range(n):
            dst[i] = <pixel>src[i]
    elif pixel is half_t:
        for i in range(n):
            dst[i] = float_to_half(src[i]) if real is float else double_to_half(src[i])
    elif pixel is uint8_t or pixel is int8_t or pixel is uint16_t or pixel is int16_t:
        least = 0
        if pixel is int8_t:
            least = -128
        elif pixel is int16_t:
            least = -32768
        most = least + (255 if sizeof(pixel) == 1 else 65535)
        # Adding 1.5 * 2**(mantissa bits) leaves no room for a fraction: the hardware rounds to
        # nearest even, and the integer is in the low bits. Exact for what clipping has left.
        shift = 12582912.0 if real is float else 6755399441055744.0
        if pixel is uint8_t and real is float:
            begin = narrow_bytes(<const float*>src, <uint8_t*>dst, n)
        elif pixel is uint16_t and real is float:
            begin = narrow_words(<const float*>src, <uint16_t*>dst, n)
        for i in range(begin, n):
            if pixel is uint8_t and real is float:
                left_over()
            if pixel in rare_pixel:
                one_by_one()
            value = src[i]
            if pixel is uint8_t or pixel is uint16_t:
                value = value if value > least else least  # NaN is not larger
            else:
                value = value if value == value else 0
                value = value if value > least else least
            value = value if value < most else most
            dst[i] = <pixel>(float_bits(value + shift) if real is float else double_bits(value + shift))
    else:
        for i in range(n):
            if pixel in rare_pixel:
                one_by_one()
            dst[i] = saturate(src[i], <pixel>0)


cdef inline void gather_words(const char* src, Py_ssize_t pixel_step, Py_ssize_t channel_step,
                              Py_ssize_t pixels, Py_ssize_t channels, bint swapped,
                              word* dst) noexcept nogil:
    cdef Py_ssize_t x, c
    cdef word value
    for x in range(pixels):
        for c in range(channels):
            memcpy(&value, src + x * pixel_step + c * channel_step, sizeof(word))
            if swapped:
                if word is uint8_t:
                    value = swap_1(value)
                elif word is uint16_t:
                    value = swap_2(value)
                elif word is uint32_t:
                    value = swap_4(value)
                else:
                    value = swap_8(value)
            dst[x * channels + c] = value


cdef inline void gather(const char* src, Py_ssize_t pixel_step, Py_ssize_t channel_step,
                        Py_ssize_t pixels, Py_ssize_t channels, Py_ssize_t itemsize,
                        bint swapped, char* dst) noexcept nogil:
    """Pixels at any steps, unaligned or byte-swapped, to a packed native row."""
    if itemsize == 1:
        gather_words(src, pixel_step, channel_step, pixels, channels, swapped, <uint8_t*>dst)
    elif itemsize == 2:
        gather_words(src, pixel_step, channel_step, pixels, channels, swapped, <uint16_t*>dst)
    elif itemsize == 4:
        gather_words(src, pixel_step, channel_step, pixels, channels, swapped, <uint32_t*>dst)
    else:
        gather_words(src, pixel_step, channel_step, pixels, channels, swapped, <uint64_t*>dst)


# The one ladder over dtypes. `kind` and `itemsize` are NumPy's; NULL for what is not there.

cdef inline read_fn reader(char kind, Py_ssize_t itemsize, real unused) noexcept nogil:
    if kind == b"b":
        return <read_fn>widen[uint8_t, real]
    if kind == b"u":
        if itemsize == 1: return <read_fn>widen[uint8_t, real]
        if itemsize == 2: return <read_fn>widen[uint16_t, real]
        if itemsize == 4: return <read_fn>widen[uint32_t, real]
        if itemsize == 8: return <read_fn>widen[uint64_t, real]
    if kind == b"i":
        if itemsize == 1: return <read_fn>widen[int8_t, real]
        if itemsize == 2: return <read_fn>widen[int16_t, real]
        if itemsize == 4: return <read_fn>widen[int32_t, real]
        if itemsize == 8: return <read_fn>widen[int64_t, real]
    if kind == b"f":
        if itemsize == 2: return <read_fn>widen[half_t, real]
        if itemsize == 4: return <read_fn>widen[float, real]
        if itemsize == 8: return <read_fn>widen[double, real]
    return NULL


cdef inline write_fn writer(char kind, Py_ssize_t itemsize, real unused) noexcept nogil:
    if kind == b"u":
        if itemsize == 1: return <write_fn>narrow[real, uint8_t]
        if itemsize == 2: return <write_fn>narrow[real, uint16_t]
        if itemsize == 4: return <write_fn>narrow[real, uint32_t]
        if itemsize == 8: return <write_fn>narrow[real, uint64_t]
    if kind == b"i":
        if itemsize == 1: return <write_fn>narrow[real, int8_t]
        if itemsize == 2: return <write_fn>narrow[real, int16_t]
        if itemsize == 4: return <write_fn>narrow[real, int32_t]
        if itemsize == 8: return <write_fn>narrow[real, int64_t]
    if kind == b"f":
        if itemsize == 2: return <write_fn>narrow[real, half_t]
        if itemsize == 4: return <write_fn>narrow[real, float]
        if itemsize == 8: return <write_fn>narrow[real, double]
    return NULL
