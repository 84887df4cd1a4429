# The sweep: down the rows of an image once, in column strips, with a ring of widened rows.
#
# Source rows are put into the ring with the border already on them (`load`); a loop shape
# turns rows of the ring into lines (`begin`, `make`); lines are rounded on writing. This file
# knows arrays, borders, strips and scratch memory, and nothing of what is computed.

cimport numpy as cnp
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from imfilt._pixels cimport gather, read_fn, reader, real, write_fn, writer
from imfilt._rows cimport VECTOR_BYTES, vec, vf32, vf64

cdef extern from "<stdlib.h>" nogil:
    void* aligned_alloc(size_t alignment, size_t size)

cdef extern from "_simd.h" nogil:
    void stream_bytes(const char* src, char* dst, Py_ssize_t n)
    void stream_end()

cdef extern from *:
    """
    #define kind_of(array) (PyArray_DESCR((PyArrayObject*)(array))->kind)
    """
    char kind_of(cnp.ndarray array)

cdef enum:
    CONSTANT = 0
    NEAREST = 1
    REFLECT = 2
    MIRROR = 3
    WRAP = 4

cdef enum:
    OUTSIDE_CONSTANT = -0x7fffffff - 1

ctypedef struct Sweep:
    # the image: steps in bytes; `packed` rows can be read without gathering
    const char* src
    Py_ssize_t height, width, channels, row_step, pixel_step, channel_step, itemsize
    bint packed, swapped
    read_fn read
    # the result: pixels of a row are packed
    char* dst
    Py_ssize_t out_width, dst_step, dst_itemsize
    write_fn write
    # the frame, see imfilt/_engine/plan.py
    bint wide, streamed
    int mode
    double cval, low, scale
    Py_ssize_t top, left, rows, columns
    Py_ssize_t stride_y, stride_x, up_y, up_x
    Py_ssize_t strip, chunk, block      # the chunk in numbers, not pixels
    Py_ssize_t y0, y1
    # scratch: bytes of a number, of a pixel of numbers, of a row of the ring and of a line
    Py_ssize_t size, pixel, ring_step, line_step
    double[8] scale_vector     # the scale in all lanes of the widest vector
    double[8] half_vector      # and 0.5
    Py_ssize_t span            # source pixels of the widest strip
    Py_ssize_t x_first, before, after   # of the strip at hand: first column, how many lie outside
    Py_ssize_t* outside        # where each of those is: see set_strip
    char* gathered             # a row before widening
    const char* ahead          # the part of the next row that lies below the line at hand
    char* narrowed             # a line before streaming

# Puts source row y, columns x_first ... x_first + pixels, into a row of the ring.
ctypedef void (*load_row)(Sweep* s, void* work, Py_ssize_t y, Py_ssize_t pixels, char* ring_row) noexcept nogil
# Prepares `count` lines of `nbytes` of numbers; rows[] starts at the first source row of the first.
ctypedef void (*begin_block)(Sweep* s, void* work, const char** rows, Py_ssize_t count,
                             Py_ssize_t nbytes) noexcept nogil
# Makes the i-th of those lines, which belongs to output row y + i: exactly `nbytes`, one vector
# at least, past the caches if `stream`.
ctypedef void (*make_line)(Sweep* s, void* work, const char** rows, Py_ssize_t y, Py_ssize_t i,
                           bint stream, char* out, Py_ssize_t nbytes) noexcept nogil


# ---- scratch ------------------------------------------------------------------

cdef inline Py_ssize_t padded(Py_ssize_t nbytes) noexcept nogil:
    """Whole vectors, as the row kernels work."""
    return (nbytes + VECTOR_BYTES - 1) // VECTOR_BYTES * VECTOR_BYTES


cdef inline Py_ssize_t row_bytes(Py_ssize_t nbytes) noexcept nogil:
    """Room for a row and one vector past it; an odd number of cache lines, so that rows
    of the ring do not fall on the same cache sets."""
    return (((nbytes + 2 * VECTOR_BYTES) // 64 + 1) | 1) * 64


cdef inline char* scratch(Py_ssize_t nbytes) noexcept nogil:
    """Zeroed, so that the padding behind a row never holds a denormal or a NaN."""
    cdef char* memory = <char*>aligned_alloc(64, nbytes)
    if memory != NULL:
        memset(memory, 0, nbytes)
    return memory


cdef inline Py_ssize_t lined(Py_ssize_t nbytes) noexcept nogil:
    """Whole cache lines, one at least."""
    return (max(nbytes, 1) + 63) // 64 * 64


cdef inline char* take(char** free_memory, Py_ssize_t nbytes) noexcept nogil:
    """The next piece of a block of scratch."""
    cdef char* piece = free_memory[0]
    free_memory[0] += lined(nbytes)
    return piece


cdef inline void spread(const double* weights, Py_ssize_t count, vec* dst) noexcept nogil:
    """Each weight into all lanes of a vector, so that the loops load instead of broadcast."""
    cdef Py_ssize_t i, lane
    if vec is vf32:
        for i in range(count):
            for lane in range(VECTOR_BYTES // 4):
                (<float*>(dst + i))[lane] = <float>weights[i]
    else:
        for i in range(count):
            for lane in range(VECTOR_BYTES // 8):
                (<double*>(dst + i))[lane] = weights[i]


cdef inline int parity(const double* weights, Py_ssize_t count) noexcept nogil:
    """+1 for w[t] == w[-t], -1 for w[t] == -w[-t] with a zero centre, 0 for neither."""
    cdef Py_ssize_t t
    cdef bint even = count % 2, odd = count % 2 and count > 1 and weights[count // 2] == 0
    for t in range(count // 2):
        even = even and weights[t] == weights[count - 1 - t]
        odd = odd and weights[t] == -weights[count - 1 - t]
    return 1 if even else -1 if odd else 0


# ---- reading ------------------------------------------------------------------

cdef inline Py_ssize_t fold(Py_ssize_t i, Py_ssize_t n, int mode) noexcept nogil:
    """The pixel that stands for index i, folded as often as it takes; -1 for the constant."""
    cdef Py_ssize_t period
    if 0 <= i < n:
        return i
    if mode == CONSTANT:
        return -1
    if mode == NEAREST:
        return 0 if i < 0 else n - 1
    if mode == MIRROR and n == 1:
        return 0
    period = n if mode == WRAP else 2 * n if mode == REFLECT else 2 * n - 2
    i = i % period
    if i < 0:
        i += period
    if i < n:
        return i
    return period - 1 - i if mode == REFLECT else period - i


cdef inline void fill(Sweep* s, char* dst, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        if s.wide:
            (<double*>dst)[i] = s.cval
        else:
            (<float*>dst)[i] = <float>s.cval


cdef inline void read_pixels(Sweep* s, const char* row, Py_ssize_t x, Py_ssize_t pixels,
                             char* dst) noexcept nogil:
    if s.packed:
        s.read(row + x * s.pixel_step, dst, pixels * s.channels, s.low)
    else:
        gather(row + x * s.pixel_step, s.pixel_step, s.channel_step, pixels, s.channels,
               s.itemsize, s.swapped, s.gathered)
        s.read(s.gathered, dst, pixels * s.channels, s.low)


cdef inline void read_row(Sweep* s, void* work, Py_ssize_t y, Py_ssize_t pixels, char* dst) noexcept nogil:
    """Columns x_first ... x_first + pixels of row y, whether inside the image or not."""
    cdef Py_ssize_t i, x, at, inside = pixels - s.before - s.after
    cdef const char* row
    y = fold(y, s.height, s.mode)
    if y < 0:
        fill(s, dst, pixels * s.channels)
        return
    row = s.src + y * s.row_step
    if inside > 0:
        read_pixels(s, row, s.x_first + s.before, inside, dst + s.before * s.pixel)
    for i in range(s.before + s.after):
        at = (i if i < s.before else i + inside) * s.pixel
        x = s.outside[i]
        if x == OUTSIDE_CONSTANT:
            fill(s, dst + at, s.channels)
        elif x < 0:
            read_pixels(s, row, -1 - x, 1, dst + at)
        elif s.pixel == 4:
            (<float*>(dst + at))[0] = (<float*>(dst + x))[0]
        else:
            memcpy(dst + at, dst + x, s.pixel)


# ---- the sweep ----------------------------------------------------------------

cdef inline Py_ssize_t first_row(Sweep* s, Py_ssize_t y) noexcept nogil:
    return y * s.stride_y // s.up_y - s.top


cdef inline void set_strip(Sweep* s, Py_ssize_t x0, Py_ssize_t pixels) noexcept nogil:
    """The source columns of a strip. Those outside the image are copies of a byte of the
    ring row, where the pixel lies in the strip; else -1 - x for column x of the image."""
    cdef Py_ssize_t i, x, inside
    s.x_first = x0 * s.stride_x // s.up_x - s.left
    s.before = min(max(-s.x_first, 0), pixels)
    s.after = min(max(s.x_first + pixels - s.width, 0), pixels - s.before)
    inside = pixels - s.before - s.after
    for i in range(s.before + s.after):
        x = fold(s.x_first + i if i < s.before else s.x_first + inside + i, s.width, s.mode)
        if x < 0:
            s.outside[i] = OUTSIDE_CONSTANT
        elif s.before <= x - s.x_first < s.before + inside:
            s.outside[i] = (x - s.x_first) * s.pixel
        else:
            s.outside[i] = -1 - x


cdef inline void spaced(const real* src, Py_ssize_t src_step, real* dst, Py_ssize_t dst_step,
                        Py_ssize_t pixels, Py_ssize_t channels) noexcept nogil:
    """Copies pixels between rows that hold every src_step-th, every dst_step-th pixel. In place
    for dst_step 1."""
    cdef Py_ssize_t x, c
    if channels == 1:
        for x in range(pixels):
            dst[x * dst_step] = src[x * src_step]
    else:
        for x in range(pixels):
            for c in range(channels):
                dst[x * dst_step * channels + c] = src[x * src_step * channels + c]


cdef inline void write_line(Sweep* s, char* line, Py_ssize_t n, char* dst) noexcept nogil:
    """`n` numbers of a line, every stride_x-th pixel, rounded to the result's type."""
    if s.stride_x > 1 and s.wide:
        spaced(<const double*>line, s.stride_x, <double*>line, 1, n // s.channels, s.channels)
    elif s.stride_x > 1:
        spaced(<const float*>line, s.stride_x, <float*>line, 1, n // s.channels, s.channels)
    if s.write == NULL:
        memcpy(dst, line, n * s.size)
    elif s.streamed:
        s.write(line, s.narrowed, n)
        stream_bytes(s.narrowed, dst, n * s.dst_itemsize)
    else:
        s.write(line, dst, n)


cdef inline void make_lines(Sweep* s, void* work, begin_block begin, make_line make, const char** rows,
                            Py_ssize_t y, Py_ssize_t count, Py_ssize_t n, char* line, char* dst) noexcept nogil:
    """`n` numbers of each of `count` output rows, the first of them at `dst`."""
    cdef Py_ssize_t i, nbytes = ((n // s.channels - 1) * s.stride_x + 1) * s.pixel if s.stride_x > 1 else n * s.size
    # Numbers of the result's type need no rounding: their line is the result itself.
    cdef bint direct = s.write == NULL and s.stride_x == 1 and nbytes >= VECTOR_BYTES
    if begin != NULL:
        begin(s, work, rows, count, padded(nbytes))
    for i in range(count):
        if direct:
            make(s, work, rows, y, i, s.streamed and (<size_t>dst) % VECTOR_BYTES == 0, dst, nbytes)
        else:
            make(s, work, rows, y, i, False, line, padded(nbytes))
            write_line(s, line, n, dst)
        dst += s.dst_step


cdef inline int sweep(Sweep* s, void* work, load_row load, begin_block begin, make_line make) noexcept nogil:
    """Rows y0 ... y1 of the result. -1 when there is no memory, and nothing was written then."""
    cdef Py_ssize_t slots = (s.block - 1) * s.stride_y // s.up_y + s.rows + 1
    cdef Py_ssize_t gathered = 1 if s.packed else s.span * s.channels * s.itemsize
    cdef Py_ssize_t narrowed = s.chunk * s.dst_itemsize if s.streamed else 1
    cdef Py_ssize_t pointers = slots * <Py_ssize_t>sizeof(void*), indices = s.span * <Py_ssize_t>sizeof(Py_ssize_t)
    cdef Py_ssize_t strips = (s.out_width + s.strip - 1) // s.strip, n, x0, x1, x, y, count, pixels, i
    cdef Py_ssize_t first, last, loaded, numbers
    cdef char* dst
    cdef int status = -1
    cdef char* memory = scratch(lined(slots * s.ring_step) + lined(s.line_step) + lined(pointers)
                                + lined(indices) + lined(gathered) + lined(narrowed))
    cdef char* left = memory
    cdef char* ring
    cdef char* line
    cdef const char** rows
    if memory != NULL:
        ring = take(&left, slots * s.ring_step)
        line = take(&left, s.line_step)
        rows = <const char**>take(&left, pointers)
        s.outside = <Py_ssize_t*>take(&left, indices)
        s.gathered = take(&left, gathered)
        s.narrowed = take(&left, narrowed)
        status = 0
        for n in range(strips):
            x0 = n * s.strip
            x1 = min(x0 + s.strip, s.out_width)
            pixels = ((x1 - 1) * s.stride_x // s.up_x) - (x0 * s.stride_x // s.up_x) + s.columns
            set_strip(s, x0, pixels)
            loaded = first_row(s, s.y0)
            y = s.y0
            while y < s.y1:
                count = min(s.block, s.y1 - y)
                first = first_row(s, y)
                last = first_row(s, y + count - 1) + s.rows
                for i in range(max(loaded, first), last):
                    load(s, work, i, pixels, ring + (i + s.top) % slots * s.ring_step)
                loaded = last
                x = 0
                while x < (x1 - x0) * s.channels:
                    dst = s.dst + y * s.dst_step + (x0 * s.channels + x) * s.dst_itemsize
                    numbers = min(s.chunk, (x1 - x0) * s.channels - x)
                    if s.streamed and s.write == NULL and s.stride_x == 1 and (<size_t>dst) % 64:
                        # From here to the next whole line of cache, then on from there.
                        numbers = min(numbers, (64 - <Py_ssize_t>((<size_t>dst) % 64)) // s.size)
                    for i in range(last - first):
                        rows[i] = (ring + (first + i + s.top) % slots * s.ring_step
                                   + (x * s.size if s.stride_x == 1 else x // s.channels * s.stride_x * s.pixel))
                    s.ahead = rows[0]
                    if s.packed and s.itemsize == s.size and 0 <= last < s.height:
                        s.ahead = s.src + last * s.row_step + (x0 * s.channels + x) * s.size
                    make_lines(s, work, begin, make, rows, y, count, numbers, line, dst)
                    x += numbers
                y += count
    free(memory)
    if s.streamed:
        stream_end()
    return status


cdef inline int prepare(Sweep* s, cnp.ndarray src, cnp.ndarray dst, frame,
                 Py_ssize_t y0, Py_ssize_t y1) except -1:
    """Fills a Sweep, and refuses what would read or write outside the arrays."""
    cdef cnp.npy_intp* shape = cnp.PyArray_DIMS(src)
    cdef cnp.npy_intp* steps = cnp.PyArray_STRIDES(src)
    cdef cnp.npy_intp* dst_shape = cnp.PyArray_DIMS(dst)
    cdef int ndim = cnp.PyArray_NDIM(src)
    cdef double half = 0.5
    if ndim != cnp.PyArray_NDIM(dst) or not 2 <= ndim <= 3:
        raise ValueError("core: src and dst must both have two or three dimensions")
    s.src = cnp.PyArray_BYTES(src)
    s.height, s.width, s.channels = shape[0], shape[1], shape[2] if ndim == 3 else 1
    s.itemsize = cnp.PyArray_ITEMSIZE(src)
    s.row_step, s.pixel_step = steps[0], steps[1]
    s.channel_step = steps[2] if ndim == 3 else s.itemsize
    s.swapped = cnp.PyArray_ISBYTESWAPPED(src)
    s.packed = (not s.swapped and cnp.PyArray_ISALIGNED(src)
                and (s.pixel_step == s.channels * s.itemsize or s.width == 1)
                and (s.channel_step == s.itemsize or s.channels == 1))
    s.dst = cnp.PyArray_BYTES(dst)
    s.out_width = dst_shape[1]
    s.dst_step = cnp.PyArray_STRIDES(dst)[0]
    s.dst_itemsize = cnp.PyArray_ITEMSIZE(dst)

    s.wide, s.streamed = frame.wide, frame.streamed
    s.mode = frame.mode
    s.cval, s.low, s.scale = frame.cval, frame.low, frame.scale
    s.top, s.left, s.rows, s.columns = frame.top, frame.left, frame.rows, frame.columns
    s.stride_y, s.stride_x, s.up_y, s.up_x = frame.stride_y, frame.stride_x, frame.up_y, frame.up_x
    s.strip, s.chunk, s.block = frame.strip, frame.chunk, frame.block
    s.y0, s.y1 = y0, y1
    if s.wide:
        s.read = reader(kind_of(src), s.itemsize, <double>0)
        s.write = writer(kind_of(dst), s.dst_itemsize, <double>0)
    else:
        s.read = reader(kind_of(src), s.itemsize, <float>0)
        s.write = writer(kind_of(dst), s.dst_itemsize, <float>0)

    if s.read == NULL or s.write == NULL:
        raise TypeError(f"core: no loop for {src.dtype} to {dst.dtype}")
    if min(s.height, s.width, s.channels, s.rows, s.columns, s.strip, s.chunk, s.block,
           s.stride_y, s.stride_x, s.up_y, s.up_x) < 1:
        raise ValueError("core: sizes and steps must be positive")
    if not 0 <= y0 <= y1 <= dst_shape[0] or (ndim == 3 and dst_shape[2] != s.channels):
        raise ValueError("core: rows or channels outside the result")
    if not cnp.PyArray_ISWRITEABLE(dst) or not cnp.PyArray_ISALIGNED(dst) or cnp.PyArray_ISBYTESWAPPED(dst):
        raise ValueError("core: dst must be writeable, aligned and in native byte order")
    if (cnp.PyArray_STRIDES(dst)[1] != s.channels * s.dst_itemsize and s.out_width > 1) or (
            ndim == 3 and s.channels > 1 and cnp.PyArray_STRIDES(dst)[2] != s.dst_itemsize):
        raise ValueError("core: the pixels of a row of dst must be packed")

    s.strip = min(s.strip, max(s.out_width, 1))
    s.size = 8 if s.wide else 4
    if s.wide:
        spread(&s.scale, 1, <vf64*>s.scale_vector)
        spread(&half, 1, <vf64*>s.half_vector)
    else:
        spread(&s.scale, 1, <vf32*>s.scale_vector)
        spread(&half, 1, <vf32*>s.half_vector)
    s.pixel = s.channels * s.size
    s.span = (s.strip - 1) * s.stride_x // s.up_x + 1 + s.columns
    s.ring_step = row_bytes(s.span * s.pixel)
    s.line_step = row_bytes(((min(s.chunk, s.strip) - 1) * s.stride_x + s.columns) * s.pixel)
    s.chunk = min(s.chunk, s.strip) * s.channels
    if s.stride_x == 1 and s.chunk * s.size >= 64:  # whole lines of cache; else whole pixels
        s.chunk = s.chunk * s.size // 64 * 64 // s.size
    if kind_of(dst) == b"f" and s.dst_itemsize == s.size:
        s.write = NULL
    return 0


cdef inline const double* taps(cnp.ndarray weights, Py_ssize_t count) except NULL:
    if (cnp.PyArray_TYPE(weights) != cnp.NPY_DOUBLE or not cnp.PyArray_ISCARRAY_RO(weights)
            or cnp.PyArray_SIZE(weights) != count or count < 1):
        raise ValueError(f"core: {count} contiguous float64 taps are needed")
    return <const double*>cnp.PyArray_DATA(weights)
