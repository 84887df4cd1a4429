# The sweep: down the rows of an image once, in column strips, with a ring of widened rows.
#
# Source rows are put into the ring with the border already on them (`load`); a loop shape
# turns rows of the ring into lines (`begin`, `make`); lines are rounded on writing. This file
# knows arrays, borders, strips and scratch memory, and nothing of what is computed.

cimport numpy as cnp
from libc.math cimport INFINITY
from libc.stdint cimport int32_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from imfilt._pixels cimport gather, read_fn, reader, real, write_fn, writer
from imfilt._rows cimport shuffle_f32, SHUFFLES, STREAM_ALIGNMENT, VECTOR_BYTES, vec, vf32, vf64

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
    FEW_PICKED = 4       # channels, up to which vectors pick them
    FRAME_FIELDS = 19  # of plan.Frame, in its order

ctypedef struct Sweep:
    # the image: steps in bytes; `packed` rows can be read without gathering
    const char* src
    Py_ssize_t height, width, channels, row_step, pixel_step, channel_step, itemsize
    bint packed, swapped
    read_fn read
    # the result: pixels of a row are packed
    char* dst
    Py_ssize_t out_width, out_channels, dst_step, dst_itemsize
    write_fn write
    # the frame, see imfilt/_engine/plan.py
    bint wide, streamed
    int mode
    double cval, low, scale
    Py_ssize_t top, left, rows, columns
    Py_ssize_t stride_y, stride_x, up_y, up_x
    Py_ssize_t strip, chunk, block      # the chunk in numbers of the result, not pixels
    bint clipped                        # results are made not less than `least`, not more than `most`
    double least, most
    Py_ssize_t grain, together          # a chunk is a multiple of; lines that are made at a time
    bint in_place                       # rows need not be copied where they lie inside an image of numbers
    Py_ssize_t margin                   # if so, the fewest pixels of a strip at the left or right border
    Py_ssize_t numbers                  # of the line at hand
    Py_ssize_t y0, y1
    # scratch: bytes of a number, of a source pixel as numbers, of a row of the ring and of a line
    Py_ssize_t size, pixel, ring_step, line_step
    # A row of the ring has `parts` pictures of the source row in each of stride_x phases, at part_step
    # bytes and `cell` bytes a pixel. (x * advance) // over: where what number x of the result needs begins.
    Py_ssize_t parts, part_step, cell, advance, over
    const Py_ssize_t* picks    # the source channel of each channel of each part; NULL: one part, all channels
    char* unpicked
    # For each part the lanes of `positions` vectors, see shuffle_f32, whose sources begin at `bases`, and then again
    # `source_numbers` further on. NULL: vectors do not do it.
    int32_t* lanes
    Py_ssize_t positions, source_numbers
    Py_ssize_t[FEW_PICKED] bases
    double[8] scale_vector     # the scale in all lanes of the widest vector
    double[8] half_vector      # and 0.5
    const void* scaled         # the scale; NULL if it is 1
    Py_ssize_t span            # source pixels of the widest strip
    Py_ssize_t x_first, before, after   # of the strip at hand: first column, how many lie outside
    Py_ssize_t* outside        # where each of those is: see set_strip
    bint beside                # all of them in the row itself
    Py_ssize_t bare            # if so, the loop puts them on; 0, or bytes of a pixel in the ring
    Py_ssize_t shift           # then rows of the ring begin later, so that what lies inside the image is aligned
    Py_ssize_t seen            # rows of the ring, from the first of a frame on, that a loop looks at
    char* gathered             # a row before widening
    const char* ahead          # the part of the next row that lies below the line at hand
    char* narrowed             # a line before streaming

# Puts source row y, columns x_first ... x_first + pixels, into a row of the ring.
ctypedef void (*load_row)(Sweep* s, void* work, Py_ssize_t y, Py_ssize_t pixels, char* ring_row) noexcept nogil
# Prepares `count` lines of `nbytes` of numbers; rows[] starts at the first source row of the first.
ctypedef void (*begin_block)(Sweep* s, void* work, const char** rows, Py_ssize_t count,
                             Py_ssize_t nbytes) noexcept nogil
# Makes lines i ... i + count of those, which belong to output rows y + i ...: exactly `nbytes` of each,
# one vector at least, past the caches if `stream` (where there is no `begin`, and the loop is any faster by that).
ctypedef void (*make_line)(Sweep* s, void* work, const char** rows, Py_ssize_t y, Py_ssize_t i,
                           Py_ssize_t count, bint stream, char* out, Py_ssize_t out_step,
                           Py_ssize_t nbytes) noexcept nogil


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


cdef inline const char* inside(Sweep* s, Py_ssize_t y) noexcept nogil:
    """Column x_first of row y where it lies in the image; NULL for the constant."""
    y = fold(y, s.height, s.mode)
    if y < 0:
        return NULL
    return s.src + y * s.row_step + s.x_first * s.pixel


cdef inline void copy_bytes(const char* src, char* dst, Py_ssize_t n, double low) noexcept nogil:
    memcpy(dst, src, n)


cdef inline void fill(Sweep* s, char* dst, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        if s.read == copy_bytes:
            (<unsigned char*>dst)[i] = <unsigned char>s.cval
        elif s.wide:
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


cdef inline void copy_pixels(char* dst, const Py_ssize_t* outside, Py_ssize_t first, Py_ssize_t last,
                             Py_ssize_t inside, Py_ssize_t pixel) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(first, last):
        memcpy(dst + (i + inside) * pixel, dst + outside[i], pixel)


cdef inline void copy_outside(Sweep* s, char* dst, Py_ssize_t first, Py_ssize_t last, Py_ssize_t inside) noexcept nogil:
    """Pixels of the border that lie in the row as well; `inside` of its pixels lie before those from the right."""
    if s.pixel == 4:  # constants, so that a copy is an instruction or two
        copy_pixels(dst, s.outside, first, last, inside, 4)
    elif s.pixel == 12:
        copy_pixels(dst, s.outside, first, last, inside, 12)
    elif s.pixel == 1:
        copy_pixels(dst, s.outside, first, last, inside, 1)
    elif s.pixel == 3:
        copy_pixels(dst, s.outside, first, last, inside, 3)
    elif s.pixel == 16:
        copy_pixels(dst, s.outside, first, last, inside, 16)
    elif s.pixel == 8:
        copy_pixels(dst, s.outside, first, last, inside, 8)
    elif s.pixel == 24:
        copy_pixels(dst, s.outside, first, last, inside, 24)
    else:
        copy_pixels(dst, s.outside, first, last, inside, s.pixel)


cdef inline void put_beside(Sweep* s, char* dst, Py_ssize_t inside) noexcept nogil:
    """The border of a row of a strip, all of whose pixels are in the row."""
    copy_outside(s, dst, 0, s.before, 0)
    copy_outside(s, dst, s.before, s.before + s.after, inside)


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
    if s.beside:
        if not s.bare:
            put_beside(s, dst, inside)
        return
    for i in range(s.before + s.after):
        at = (i if i < s.before else i + inside) * s.pixel
        x = s.outside[i]
        if x == OUTSIDE_CONSTANT:
            fill(s, dst + at, s.channels)
        elif x < 0:
            read_pixels(s, row, -1 - x, 1, dst + at)
        else:
            memcpy(dst + at, dst + x, s.pixel)


# ---- the sweep ----------------------------------------------------------------

cdef inline Py_ssize_t first_row(Sweep* s, Py_ssize_t y) noexcept nogil:
    if s.up_y == 1:  # a division takes as long as a vector of pixels
        return y * s.stride_y - s.top
    return y * s.stride_y // s.up_y - s.top


cdef inline void set_strip(Sweep* s, Py_ssize_t x0, Py_ssize_t pixels) noexcept nogil:
    """The source columns of a strip. Those outside the image are copies of a byte of the
    ring row, where the pixel lies in the strip; else -1 - x for column x of the image."""
    cdef Py_ssize_t i, x, inside
    s.x_first = x0 * s.stride_x // s.up_x - s.left
    s.before = min(max(-s.x_first, 0), pixels)
    s.after = min(max(s.x_first + pixels - s.width, 0), pixels - s.before)
    inside = pixels - s.before - s.after
    s.beside = True
    for i in range(s.before + s.after):
        x = fold(s.x_first + i if i < s.before else s.x_first + inside + i, s.width, s.mode)
        if x < 0:
            s.outside[i] = OUTSIDE_CONSTANT
        elif s.before <= x - s.x_first < s.before + inside:
            s.outside[i] = (x - s.x_first) * s.pixel
        else:
            s.outside[i] = -1 - x
        s.beside = s.beside and s.outside[i] >= 0


cdef inline void pick(const real* src, Py_ssize_t src_step, real* dst, Py_ssize_t dst_step, Py_ssize_t pixels,
                      Py_ssize_t channels, const Py_ssize_t* picks) noexcept nogil:
    """Copies pixels, steps in numbers; channel c from picks[c], or from c for NULL.

    Behind both rows is room for sixteen bytes.
    """
    cdef Py_ssize_t x, c
    if channels == 1:
        src += picks[0] if picks != NULL else 0
        for x in range(pixels):
            dst[x * dst_step] = src[x * src_step]
    elif picks != NULL:
        for x in range(pixels):
            for c in range(channels):
                dst[x * dst_step + c] = src[x * src_step + picks[c]]
    elif dst_step == channels and channels * <Py_ssize_t>sizeof(real) <= 16:
        for x in range(pixels):  # what is too much is written over by the next pixel
            memcpy(dst + x * dst_step, src + x * src_step, 16)
    else:
        for x in range(pixels):
            for c in range(channels):
                dst[x * dst_step + c] = src[x * src_step + c]


cdef inline Py_ssize_t picked_lanes(Sweep* s) noexcept nogil:
    """How many lanes a table for `pick_vectors` has; 0 where vectors cannot pick: their pixels lie too far apart."""
    cdef Py_ssize_t each = VECTOR_BYTES // 4, channels = s.cell // s.size
    if (not SHUFFLES or s.picks == NULL or s.wide or s.stride_x > 1 or channels > FEW_PICKED
            or ((each + channels - 2) // channels + 1) * s.channels > 2 * each):
        return 0
    s.positions = 3 if channels == 3 else 1
    return s.parts * s.positions * each


cdef inline void plan_picking(Sweep* s) noexcept nogil:
    cdef Py_ssize_t each = VECTOR_BYTES // 4, channels = s.cell // s.size, part, p, lane, pixel, c
    s.source_numbers = s.positions * each // channels * s.channels
    for part in range(s.parts):
        pixel = c = 0
        for p in range(s.positions):
            s.bases[p] = pixel
            for lane in range(each):
                s.lanes[(part * s.positions + p) * each + lane] = <int32_t>(
                    pixel + s.picks[part * channels + c] - s.bases[p])
                c += 1
                if c == channels:
                    c = 0
                    pixel += s.channels


cdef inline void pick_vectors(const Sweep* s, const float* src, const int32_t* lanes, char* out,
                              Py_ssize_t nbytes) noexcept nogil:
    """Pixels with their channels picked, in whole vectors; up to two vectors are read from the last one on."""
    cdef Py_ssize_t p = 0, each = VECTOR_BYTES // 4, n
    for n in range((nbytes + VECTOR_BYTES - 1) // VECTOR_BYTES):
        (<vf32*>(out + n * VECTOR_BYTES))[0] = shuffle_f32((<const vf32*>(src + s.bases[p]))[0],
                                                           (<const vf32*>(src + s.bases[p]))[1], lanes + p * each)
        p += 1
        if p == s.positions:
            p = 0
            src += s.source_numbers


cdef inline void read_parts(Sweep* s, void* work, Py_ssize_t y, Py_ssize_t pixels, char* dst) noexcept nogil:
    """A row of the ring: parts and phases of a source row, or the source row itself."""
    cdef Py_ssize_t part, phase, count, channels = s.cell // s.size
    cdef char* to
    cdef const Py_ssize_t* picks
    cdef bint plain = s.picks == NULL and s.stride_x == 1
    read_row(s, work, y, pixels, dst if plain else s.unpicked)
    if plain:
        return
    for part in range(s.parts):
        if s.lanes != NULL:
            pick_vectors(s, <const float*>s.unpicked, s.lanes + part * s.positions * (VECTOR_BYTES // 4),
                         dst + part * s.part_step, pixels * s.cell)
            continue
        picks = NULL
        if s.picks != NULL:
            picks = s.picks + part * channels
        for phase in range(min(s.stride_x, pixels)):
            count = (pixels - phase + s.stride_x - 1) // s.stride_x
            to = dst + (part * s.stride_x + phase) * s.part_step
            if s.wide:
                pick(<const double*>(s.unpicked + phase * s.pixel), s.stride_x * s.channels, <double*>to,
                     channels, count, channels, picks)
            else:
                pick(<const float*>(s.unpicked + phase * s.pixel), s.stride_x * s.channels, <float*>to,
                     channels, count, channels, picks)


cdef inline Py_ssize_t column_at(Sweep* s, Py_ssize_t part, Py_ssize_t column) noexcept nogil:
    """Where the pixels under a column of a kernel begin, in a row of the ring."""
    return (part * s.stride_x + column % s.stride_x) * s.part_step + column // s.stride_x * s.cell


cdef inline void clip(const real* line, real* out, Py_ssize_t n, real least, real most) noexcept nogil:
    """NaN stays."""
    cdef Py_ssize_t i
    cdef real value
    for i in range(n):
        value = line[i]
        value = least if value < least else value
        out[i] = most if value > most else value


cdef inline void write_line(Sweep* s, char* line, Py_ssize_t n, char* dst) noexcept nogil:
    """`n` numbers of a line, rounded to the result's type."""
    cdef char* clipped = dst if s.write == NULL and not s.streamed else line
    if s.clipped and s.wide:
        clip(<double*>line, <double*>clipped, n, s.least, s.most)
    elif s.clipped:
        clip(<float*>line, <float*>clipped, n, <float>s.least, <float>s.most)
    if s.write == NULL and s.streamed:
        stream_bytes(line, dst, n * s.size)
    elif s.write == NULL and s.clipped:
        return
    elif s.write == NULL:
        memcpy(dst, line, n * s.size)
    elif s.streamed:
        s.write(line, s.narrowed, n)
        stream_bytes(s.narrowed, dst, n * s.dst_itemsize)
    else:
        s.write(line, dst, n)


cdef inline void make_lines(Sweep* s, void* work, begin_block begin, make_line make, const char** rows,
                            Py_ssize_t y, Py_ssize_t count, Py_ssize_t n, char* lines, char* dst) noexcept nogil:
    """`n` numbers of each of `count` output rows, the first of them at `dst`."""
    cdef Py_ssize_t i, t, lot, nbytes = n * s.size
    # Numbers of the result's type need no rounding: their line is the result itself.
    # Past the caches line by line, where there is scratch between rows and lines: what is stored there would wait
    # behind stores that wait for memory.
    # Pixels of several lines at a time come piece by piece: so would go those that share a line of cache.
    cdef bint together = s.together == 1 or s.dst_step % STREAM_ALIGNMENT == 0
    cdef bint pieces = s.together > 1 and s.grain > 1 and ((<size_t>dst) % 64 != 0 or s.dst_step % 64 != 0)
    cdef bint direct = (s.write == NULL and not s.clipped and nbytes >= VECTOR_BYTES
                        and not (s.streamed and (begin != NULL or pieces))), stream
    s.numbers = n
    if begin != NULL:
        begin(s, work, rows, count, padded(nbytes))
    i = 0
    while i < count:
        lot = min(s.together, count - i)
        if direct:
            stream = s.streamed and (<size_t>dst) % STREAM_ALIGNMENT == 0 and (together or lot == 1)
            make(s, work, rows, y, i, lot, stream, dst, s.dst_step, nbytes)
        else:
            make(s, work, rows, y, i, lot, False, lines, s.line_step,
                 nbytes if s.in_place and nbytes >= VECTOR_BYTES else padded(nbytes))
            for t in range(lot):
                write_line(s, lines + t * s.line_step, n, dst + t * s.dst_step)
        dst += lot * s.dst_step
        i += lot


cdef inline Py_ssize_t strip_end(Sweep* s, Py_ssize_t x0) noexcept nogil:
    """Where the strip that begins at x0 ends. In place, strips at the borders are as narrow as may be."""
    cdef Py_ssize_t x1 = min(x0 + s.strip, s.out_width), first, last
    if not s.in_place:
        return x1
    first = (s.left * s.up_x + s.stride_x - 1) // s.stride_x if s.left > 0 else 0
    last = ((s.width - s.columns + s.left) * s.up_x) // s.stride_x + 1 if s.width >= s.columns - s.left else 0
    if first > 0:
        first = (max(first, s.margin) + s.up_x - 1) // s.up_x * s.up_x
    if last < s.out_width:
        last = max(min(last, s.out_width - s.margin), 0) // s.up_x * s.up_x
    if x0 < first:
        return min(x1, first)
    if x0 < last:
        return min(x1, last)
    return x1


cdef inline void clear_ends(const Sweep* s, char* ring, Py_ssize_t slots) noexcept nogil:
    """As `scratch` does, of a ring, whose rows are written before they are read."""
    cdef Py_ssize_t i, end = max((s.span + s.stride_x - 1) // s.stride_x - 1, 0) * s.cell
    if s.ring_step != s.parts * s.stride_x * s.part_step or end > s.part_step:  # not the layout of `arrange`
        memset(ring, 0, slots * s.ring_step)
        return
    for i in range(slots * s.ring_step // s.part_step):
        memset(ring + i * s.part_step + end, 0, s.part_step - end)


cdef inline int sweep(Sweep* s, void* work, load_row load, begin_block begin, make_line make) noexcept nogil:
    """Rows y0 ... y1 of the result. -1 when there is no memory, and nothing was written then."""
    cdef Py_ssize_t slots = (s.block - 1) * s.stride_y // s.up_y + s.rows + 1
    cdef Py_ssize_t gathered = 1 if s.packed else s.span * s.channels * s.itemsize
    cdef Py_ssize_t narrowed = s.chunk * s.dst_itemsize if s.streamed else 1
    cdef Py_ssize_t pointers = slots * <Py_ssize_t>sizeof(void*), indices = s.span * <Py_ssize_t>sizeof(Py_ssize_t)
    cdef Py_ssize_t x0 = 0, x1, x, y, count, pixels, i, first, last, loaded, numbers, cut, at, slot, lowest
    cdef bint in_place
    cdef char* dst
    cdef int status = -1
    cdef Py_ssize_t unpicked = 1 if s.picks == NULL and s.stride_x == 1 else row_bytes(s.span * s.pixel)
    cdef Py_ssize_t lanes = picked_lanes(s)
    cdef Py_ssize_t others = (lined(s.together * s.line_step) + lined(pointers) + lined(indices) + lined(gathered)
                              + lined(narrowed) + lined(unpicked) + lined(lanes * <Py_ssize_t>sizeof(int32_t)))
    cdef char* memory = <char*>aligned_alloc(64, slots * s.ring_step + 64 + others)
    cdef char* left = memory
    cdef char* first_slot
    cdef char* ring
    cdef char* lines
    cdef const char** rows
    if memory != NULL:
        first_slot = take(&left, slots * s.ring_step + 64)
        clear_ends(s, first_slot, slots)
        memset(left, 0, others)
        lines = take(&left, s.together * s.line_step)
        rows = <const char**>take(&left, pointers)
        s.outside = <Py_ssize_t*>take(&left, indices)
        s.gathered = take(&left, gathered)
        s.narrowed = take(&left, narrowed)
        s.unpicked = take(&left, unpicked)
        s.lanes = NULL
        if lanes:
            s.lanes = <int32_t*>take(&left, lanes * <Py_ssize_t>sizeof(int32_t))
            plan_picking(s)
        status = 0
        while x0 < s.out_width:
            x1 = strip_end(s, x0)
            pixels = ((x1 - 1) * s.stride_x // s.up_x) - (x0 * s.stride_x // s.up_x) + s.columns
            set_strip(s, x0, pixels)
            s.shift = -(s.before * s.bare) & 63 if s.beside else 0
            ring = first_slot + s.shift
            in_place = (s.in_place and s.before + s.after == 0
                        and (x1 - x0) * s.out_channels * s.size >= VECTOR_BYTES)
            loaded = first = first_row(s, s.y0)
            lowest = (first + s.top) % slots  # of row `first`; divisions take as long as a vector of pixels
            y = s.y0
            while y < s.y1:
                count = min(s.block, s.y1 - y)
                lowest -= first
                first = first_row(s, y)
                last = first_row(s, y + count - 1) + s.rows
                lowest += first
                while lowest >= slots:
                    lowest -= slots
                slot = lowest + max(loaded - first, 0)
                slot = slot - slots if slot >= slots else slot
                for i in range(max(loaded, first), last):
                    if not in_place or inside(s, i) == NULL:
                        load(s, work, i, pixels, ring + slot * s.ring_step)
                    slot = slot + 1 if slot + 1 < slots else 0
                loaded = last
                x = 0
                while x < (x1 - x0) * s.out_channels:
                    dst = s.dst + y * s.dst_step + (x0 * s.out_channels + x) * s.dst_itemsize
                    numbers = min(s.chunk, (x1 - x0) * s.out_channels - x)
                    if in_place and (x1 - x0) * s.out_channels - x - numbers < VECTOR_BYTES // s.size:
                        numbers = (x1 - x0) * s.out_channels - x  # so that no line is shorter than a vector
                    if s.streamed and s.write == NULL and s.grain == 1 and (<size_t>dst) % 64:
                        # From here to the next whole line of cache, then on from there.
                        cut = (64 - <Py_ssize_t>((<size_t>dst) % 64)) // s.size
                        if not in_place or (x1 - x0) * s.out_channels - x - cut >= VECTOR_BYTES // s.size:
                            numbers = min(numbers, cut)
                    at = x * s.advance // s.over if x else 0
                    slot = lowest
                    for i in range(min(last - first, s.seen)):
                        rows[i] = NULL
                        if in_place:
                            rows[i] = inside(s, first + i)
                        if rows[i] == NULL:
                            rows[i] = ring + slot * s.ring_step
                        rows[i] += at
                        slot = slot + 1 if slot + 1 < slots else 0
                    s.ahead = rows[0]
                    if s.packed and s.itemsize == s.size and 0 <= last < s.height:
                        s.ahead = s.src + last * s.row_step + max(s.x_first, 0) * s.pixel + at
                    make_lines(s, work, begin, make, rows, y, count, numbers, lines, dst)
                    x += numbers
                y += count
            x0 = x1
    free(memory)
    if s.streamed:
        stream_end()
    return status


cdef inline int prepare(Sweep* s, cnp.ndarray src, cnp.ndarray dst, frame,
                 Py_ssize_t y0, Py_ssize_t y1) except -1:
    """Fills a Sweep, and refuses what would read or write outside the arrays.

    For a loop that computes channel by channel, from rows of the ring as they were read; others change that
    (see `arrange`), and look at out_channels for themselves.
    """
    cdef cnp.npy_intp* shape = cnp.PyArray_DIMS(src)
    cdef cnp.npy_intp* steps = cnp.PyArray_STRIDES(src)
    cdef cnp.npy_intp* dst_shape = cnp.PyArray_DIMS(dst)
    cdef int ndim = cnp.PyArray_NDIM(src)
    cdef double half = 0.5
    cdef double[5] reals
    cdef Py_ssize_t[11] numbers
    cdef tuple fields
    cdef Py_ssize_t i
    if not 2 <= ndim <= 3 or not 2 <= cnp.PyArray_NDIM(dst) <= 3:
        raise ValueError("core: src and dst must have two or three dimensions")
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
    s.out_width, s.out_channels = dst_shape[1], dst_shape[2] if cnp.PyArray_NDIM(dst) == 3 else 1
    s.dst_step = cnp.PyArray_STRIDES(dst)[0]
    s.dst_itemsize = cnp.PyArray_ITEMSIZE(dst)

    if not isinstance(frame, tuple) or len(<tuple>frame) != FRAME_FIELDS:
        raise TypeError("core: a frame is needed")
    fields = <tuple>frame  # by place: names would cost a microsecond
    s.wide, s.streamed, s.mode = fields[0], fields[1], fields[2]
    for i in range(5):
        reals[i] = fields[3 + i if i < 3 else 14 + i]
    s.cval, s.low, s.scale, s.least, s.most = reals[0], reals[1], reals[2], reals[3], reals[4]
    for i in range(11):
        numbers[i] = fields[6 + i]
    s.top, s.left, s.rows, s.columns = numbers[0], numbers[1], numbers[2], numbers[3]
    s.stride_y, s.stride_x, s.up_y, s.up_x = numbers[4], numbers[5], numbers[6], numbers[7]
    s.strip, s.chunk, s.block = numbers[8], numbers[9], numbers[10]
    s.clipped = s.least > -INFINITY or s.most < INFINITY
    s.y0, s.y1 = y0, y1
    if s.wide:
        s.read = reader(kind_of(src), s.itemsize, <double>0)
        s.write = writer(kind_of(dst), s.dst_itemsize, <double>0)
    else:
        s.read = reader(kind_of(src), s.itemsize, <float>0)
        s.write = writer(kind_of(dst), s.dst_itemsize, <float>0)

    if s.read == NULL or s.write == NULL:
        raise TypeError(f"core: no loop for {src.dtype} to {dst.dtype}")
    if min(s.height, s.width, s.channels, s.out_channels, s.rows, s.columns, s.strip, s.chunk, s.block,
           s.stride_y, s.stride_x, s.up_y, s.up_x) < 1:
        raise ValueError("core: sizes and steps must be positive")
    if s.strip % s.up_x and s.strip < s.out_width:
        raise ValueError("core: strips of whole source pixels are needed")
    if not 0 <= y0 <= y1 <= dst_shape[0]:
        raise ValueError("core: rows outside the result")
    if not cnp.PyArray_ISWRITEABLE(dst) or not cnp.PyArray_ISALIGNED(dst) or cnp.PyArray_ISBYTESWAPPED(dst):
        raise ValueError("core: dst must be writeable, aligned and in native byte order")
    if (cnp.PyArray_STRIDES(dst)[1] != s.out_channels * s.dst_itemsize and s.out_width > 1) or (
            s.out_channels > 1 and cnp.PyArray_STRIDES(dst)[2] != s.dst_itemsize):
        raise ValueError("core: the pixels of a row of dst must be packed")

    s.strip = min(s.strip, max(s.out_width, 1))
    s.size = 8 if s.wide else 4
    if s.wide:
        spread(&s.scale, 1, <vf64*>s.scale_vector)
        spread(&half, 1, <vf64*>s.half_vector)
    else:
        spread(&s.scale, 1, <vf32*>s.scale_vector)
        spread(&half, 1, <vf32*>s.half_vector)
    s.scaled = NULL
    if s.scale != 1:
        s.scaled = s.scale_vector
    s.pixel = s.channels * s.size
    s.span = (s.strip - 1) * s.stride_x // s.up_x + 1 + s.columns
    s.chunk = min(s.chunk, s.strip) * s.out_channels
    s.together = 1
    s.in_place = False
    s.margin = 0
    s.picks = NULL
    s.bare = s.shift = 0
    s.seen = (s.block - 1) * s.stride_y // s.up_y + s.rows + 1
    if kind_of(dst) == b"f" and s.dst_itemsize == s.size:
        s.write = NULL
    arrange(s, 1, s.pixel, s.size, 1, 1)
    return 0


cdef inline int steps_once(Sweep* s) except -1:
    if (s.stride_x > 1 or s.stride_y > 1) and (s.up_x > 1 or s.up_y > 1):
        raise ValueError("core: this loop steps in the source or in the result")
    return 0


cdef inline void as_bytes(Sweep* s) noexcept nogil:
    """Rows of the ring and lines hold bytes as they are in the image and in the result."""
    s.size, s.pixel = 1, s.channels
    s.read, s.write = copy_bytes, NULL
    arrange(s, 1, s.pixel, 1, 1, 1)


cdef inline int same_channels(Sweep* s) except -1:
    if s.out_channels != s.channels:
        raise ValueError("core: the result must have the channels of the image")
    return 0


cdef inline void arrange(Sweep* s, Py_ssize_t parts, Py_ssize_t cell, Py_ssize_t advance, Py_ssize_t over,
                         Py_ssize_t grain) noexcept nogil:
    """The layout of a row of the ring, and chunks of a multiple of `grain` numbers."""
    cdef Py_ssize_t numbers = s.chunk
    s.parts, s.cell, s.advance, s.over, s.grain = parts, cell, advance, over, grain
    s.part_step = row_bytes(((s.span + s.stride_x - 1) // s.stride_x) * cell)
    s.ring_step = parts * s.stride_x * s.part_step
    if grain > 1:
        numbers = max(s.chunk // grain, 1) * grain
    elif s.chunk * s.size >= 64:  # whole lines of cache; else whole pixels
        numbers = s.chunk * s.size // 64 * 64 // s.size
    s.chunk = numbers
    # A line, or one with the margins of a kernel.
    s.line_step = row_bytes(VECTOR_BYTES + max(numbers * s.size, numbers * advance // over) + s.columns * max(s.pixel, cell))
