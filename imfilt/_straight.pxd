# Small kernels straight from the image: no row is copied, and borders are lanes of a vector.
#
# A row is worked on in whole vectors. Sums down the columns stay in registers; sums along a row take their neighbours
# from the vectors before and after, by a shuffle. What lies outside the image at the left and the right are lanes of
# its first and last vectors, or the constant; rows above and below are pointers to others.

cimport numpy as cnp
from libc.stdint cimport int32_t, uint16_t, uint8_t
from libc.stdlib cimport free
from libc.string cimport memset

from imfilt._rows cimport any_lane, one_by_one, put, root, SHUFFLES, shuffled, unsafe_lanes, vec, VECTOR_BYTES, vf32, vf64
from imfilt._sweep cimport CONSTANT, fold, kind_of, lined, row_bytes, scratch, stream_end, Sweep, take, WRAP, write_line

cdef extern from "_simd.h" nogil:
    vf32 bytes_f32(const uint8_t*)
    vf32 words_f32(const uint16_t*)
    vf32 bytes_sum_f32(const uint8_t*, const uint8_t*)
    vf32 words_sum_f32(const uint16_t*, const uint16_t*)
    vf32 bytes_difference_f32(const uint8_t*, const uint8_t*)
    vf32 words_difference_f32(const uint16_t*, const uint16_t*)

cdef enum:
    STRAIGHT_TAPS = 9
    # What a row is made from:
    CROSSED = 1                # the sums of columns
    BOTH = 2                   # two such sums, smooth and differences, of which the length of the gradient is made;
                               # or, if there are two taps, two rows, whose diagonals are the differences
    DENSE = 3                  # three rows
    ADDED = 4                  # the sums of columns, and the row in the middle
    STRAIGHT_BYTES = 1 << 20   # of the rows of a frame, which stay in a second-level cache

ctypedef fused picture:
    uint8_t
    uint16_t
    float
    double

ctypedef struct Straight:
    void* work                 # what else the line needs
    Py_ssize_t numbers, channels   # of a row, of a pixel
    Py_ssize_t made            # numbers of a row of the result
    Py_ssize_t before, after   # that a result needs at its left and right
    Py_ssize_t tall, wide      # taps
    int down, along            # and their parities
    double[72] column_weights  # in all lanes: smooth ones of a gradient, all of a dense kernel
    double[72] row_weights     # differences of a gradient
    const void* scale
    const void* half
    bint upwards               # the taps of columns begin below
    Py_ssize_t step            # words of 32 bits from one pixel to the next
    int32_t[144] moves         # the shuffle for each tap of a row, see neighbour
    bint wrapped               # what lies outside at one end is at the other
    int32_t[48] ramp           # from place n on: shuffles two vectors n words to the left
    int32_t[16] left, right    # shuffle what lies outside from the vector at an end and one of the constant
    double[24] outside         # vectors of what the constant is there, see the kinds
    double[8] added            # the weight of the row in the middle

# Makes a row of the result; True if it cannot.
ctypedef bint (*straight_line)(const Straight* k, const char** rows, char* out, bint stream) noexcept nogil


cdef inline vec widened(const picture* at, vec unused) noexcept nogil:
    if picture is uint8_t:
        return <vec>bytes_f32(at)
    elif picture is uint16_t:
        return <vec>words_f32(at)
    else:
        return (<const vec*>at)[0]


cdef inline vec pair(const picture* a, const picture* b, int parity, vec unused) noexcept nogil:
    """a + b, or a - b for an odd parity."""
    if picture is uint8_t:
        return <vec>(bytes_sum_f32(a, b) if parity > 0 else bytes_difference_f32(a, b))
    elif picture is uint16_t:
        return <vec>(words_sum_f32(a, b) if parity > 0 else words_difference_f32(a, b))
    else:
        return (<const vec*>a)[0] + (<const vec*>b)[0] if parity > 0 else (<const vec*>a)[0] - (<const vec*>b)[0]


cdef inline vec down_column(const picture** rows, Py_ssize_t x, Py_ssize_t count, int parity, const vec* weights,
                            vec unused) noexcept nogil:
    """The weighted sum of a vector of columns, in the order of any_sum."""
    cdef Py_ssize_t t, radius = count // 2
    cdef vec s
    if parity > 0:
        s = widened(rows[radius] + x, unused) * weights[radius]
        for t in range(radius):
            s = s + pair(rows[t] + x, rows[2 * radius - t] + x, 1, unused) * weights[t]
    elif parity == 0:
        s = widened(rows[0] + x, unused) * weights[0]
        for t in range(1, count):
            s = s + widened(rows[t] + x, unused) * weights[t]
    else:
        s = pair(rows[0] + x, rows[2 * radius] + x, -1, unused) * weights[0]
        for t in range(1, radius):
            s = s + pair(rows[t] + x, rows[2 * radius - t] + x, -1, unused) * weights[t]
    return s


cdef inline vec neighbour(vec before, vec at, vec after, Py_ssize_t t, Py_ssize_t radius, const int32_t* moves) noexcept nogil:
    """The vector under tap t of a row."""
    if t < radius:
        return shuffled(before, at, moves + 16 * t)
    if t == radius:
        return at
    return shuffled(at, after, moves + 16 * t)


cdef inline vec along_row(vec before, vec at, vec after, Py_ssize_t count, int parity, const vec* weights,
                          const int32_t* moves) noexcept nogil:
    """The weighted sum of neighbours, in the order of any_sum."""
    cdef Py_ssize_t t, radius = count // 2
    cdef vec s
    if parity > 0:
        s = at * weights[radius]
        for t in range(radius):
            s = s + (neighbour(before, at, after, t, radius, moves)
                     + neighbour(before, at, after, 2 * radius - t, radius, moves)) * weights[t]
    elif parity == 0:
        s = neighbour(before, at, after, 0, radius, moves) * weights[0]
        for t in range(1, count):
            s = s + neighbour(before, at, after, t, radius, moves) * weights[t]
    else:  # begins at the right, as the taps of a derivative do
        s = (neighbour(before, at, after, 2 * radius, radius, moves)
             - neighbour(before, at, after, 0, radius, moves)) * weights[0]
        for t in range(1, radius):
            s = s + (neighbour(before, at, after, 2 * radius - t, radius, moves)
                     - neighbour(before, at, after, t, radius, moves)) * weights[t]
    return s


cdef inline int parts(int kind) noexcept nogil:
    return 2 if kind == ADDED else kind


cdef inline void parts_of(const picture** rows, Py_ssize_t x, int kind, Py_ssize_t tall, int down, const vec* column,
                          const vec* row, vec* out) noexcept nogil:
    """The vectors at number x that a row is made from."""
    cdef Py_ssize_t t
    if kind == CROSSED or kind == ADDED:
        out[0] = down_column(rows, x, tall, down, column, column[0])
        if kind == ADDED:
            out[1] = widened(rows[tall // 2] + x, column[0])
    elif kind == BOTH and tall > 2:
        out[0] = down_column(rows, x, tall, 1, column, column[0])
        out[1] = down_column(rows, x, tall, -1, row, column[0])
    else:
        for t in range(kind):
            out[t] = widened(rows[t] + x, column[0])


cdef inline vec whole_of(const vec* before, const vec* at, const vec* after, int kind, Py_ssize_t wide, int along,
                         const vec* column, const vec* row, const int32_t* moves, vec half, vec* unsafe) noexcept nogil:
    """A vector of the result, but for the scale, from its parts; `half` is the weight of one that is added."""
    cdef vec g, h, square
    cdef Py_ssize_t r, t
    if kind == ADDED:
        g = at[1] * half + at[0] * row[wide // 2]
        for t in range(wide // 2):
            g = g + (neighbour(before[0], at[0], after[0], t, wide // 2, moves)
                     + neighbour(before[0], at[0], after[0], wide - 1 - t, wide // 2, moves)) * row[t]
        return g
    if kind == CROSSED:
        return along_row(before[0], at[0], after[0], wide, along, row, moves)
    if kind == BOTH:
        if wide == 2:
            g = at[0] * column[0] + shuffled(at[1], after[1], moves + 16) * column[1]
            h = shuffled(at[0], after[0], moves + 16) * row[0] + at[1] * row[1]
        else:
            g = along_row(before[0], at[0], after[0], wide, -1, row, moves)
            h = along_row(before[1], at[1], after[1], wide, 1, column, moves)
        square = (g * g + h * h) * half
        unsafe[0] = unsafe[0] + unsafe_lanes(square, g, h)
        return root(square)
    for r in range(3):
        for t in range(3):
            h = neighbour(before[r], at[r], after[r], t, 1, moves) * column[3 * r + t]
            g = h if r == 0 and t == 0 else g + h
    return g


cdef inline bint straight_row(const Straight* k, const picture** given, int kind, Py_ssize_t tall, Py_ssize_t wide,
                              int down, int along, char* out, bint stream, vec unsafe) noexcept nogil:
    """A row of the result: columns first. Nothing is read beyond the rows, nor written beyond the numbers.

    `unsafe` is 0. Returns whether a square left the safe range.
    """
    cdef Py_ssize_t lanes = VECTOR_BYTES // (4 if vec is vf32 else 8), size = 4 if vec is vf32 else 8
    cdef Py_ssize_t x = 0, n = k.numbers, words = size // 4, t, i, step = 0
    # Copies, which no store to the result can change: they stay in registers.
    cdef vec[9] column, row
    cdef int32_t[144] moves
    cdef const picture *rows[9]
    cdef vec[3] before, at, after, last, outside
    cdef vec scale = (<const vec*>k.scale)[0], half = (<const vec*>(k.added if kind == ADDED else k.half))[0], made
    for t in range(tall * (3 if kind == DENSE else 1)):
        column[t] = (<const vec*>k.column_weights)[t]
    for t in range(tall):
        rows[t] = given[t]
    for t in range(wide):
        if kind != DENSE:
            row[t] = (<const vec*>k.row_weights)[t]
        for i in range(16):
            moves[16 * t + i] = k.moves[16 * t + i]
    parts_of(rows, 0, kind, tall, down, column, row, at)
    parts_of(rows, n - lanes, kind, tall, down, column, row, last)
    for t in range(parts(kind)):
        made = (<const vec*>k.outside)[t]
        before[t] = shuffled(last[t] if k.wrapped else at[t], made, k.left)
        outside[t] = shuffled(at[t] if k.wrapped else last[t], made, k.right)
    if n >= 8 * lanes:  # from the second vector on aligned
        step = (VECTOR_BYTES - <Py_ssize_t>(<size_t>out % VECTOR_BYTES)) // size % lanes
    else:
        stream = False
    while True:
        if x + 2 * lanes <= n:
            parts_of(rows, x + lanes, kind, tall, down, column, row, after)
        else:
            stream = False
            step = n - lanes - x
            for t in range(parts(kind)):
                after[t] = shuffled(last[t], outside[t], k.ramp + (lanes - step) * words)
        made = whole_of(before, at, after, kind, wide, along, column, row, moves, half, &unsafe) * scale
        put(<vec*>(out + x * size), made, stream and step == 0)
        if step == 0:
            if x + lanes == n:
                return kind == BOTH and any_lane(unsafe)
            for t in range(parts(kind)):
                before[t], at[t] = at[t], after[t]
            x += lanes
        else:
            for t in range(parts(kind)):
                before[t] = shuffled(before[t], at[t], k.ramp + step * words)
                at[t] = shuffled(at[t], after[t], k.ramp + step * words)
            x += step
            step = 0


cdef inline bint outside_lanes(const Sweep* s, Py_ssize_t first, Py_ssize_t near, Py_ssize_t reach,
                               int32_t* at) noexcept nogil:
    """The shuffle that makes the numbers from `first` on from those from `near` on and from the constant.

    False where a pixel that is read, one of `reach` on the side of the image, lies further inside.
    """
    cdef Py_ssize_t lanes = VECTOR_BYTES // s.size, words = s.size // 4, j, w, x, n
    for j in range(lanes):
        n = first + j
        # Pixels are counted from the image's first number; first // channels would round up left of it.
        x = n // s.channels if n >= 0 else -((-n - 1) // s.channels) - 1
        n -= x * s.channels
        if x < -reach or x >= s.width + reach:
            x = 0
        else:
            x = fold(x, s.width, s.mode)
            if x >= 0 and not 0 <= x * s.channels + n - near < lanes:
                return False
        for w in range(words):
            at[j * words + w] = <int32_t>(words * (lanes if x < 0 else min(max(x * s.channels + n - near, 0), lanes - 1)) + w)
    return True


cdef inline bint goes_straight(Straight* k, const Sweep* s, cnp.ndarray src):
    """Whether rows can be read straight from the image; then with the tables for that."""
    cdef Py_ssize_t lanes = VECTOR_BYTES // s.size, after = s.columns - 1 - s.left, n, i
    cdef bint whole = kind_of(src) in (b"u", b"b") and s.itemsize <= 2 and not s.wide
    k.numbers = n = s.width * s.channels
    if (not s.packed or max(s.stride_y, s.stride_x, s.up_y, s.up_x) > 1 or s.out_width != s.width
            or not (whole or (kind_of(src) == b"f" and s.itemsize == s.size)) or n < lanes
            or min(s.left, after) < 0 or max(s.left, after) * s.channels > lanes or s.rows * n * s.itemsize > STRAIGHT_BYTES
            or (whole and s.mode == CONSTANT and not (0 <= s.cval < 1 << 8 * s.itemsize and s.cval == <int>s.cval))):
        return False
    k.channels, k.made = s.channels, s.out_width * s.out_channels
    k.before, k.after = s.left * s.channels, after * s.channels
    k.step = s.channels * s.size // 4
    k.scale, k.half = s.scale_vector, s.half_vector
    k.wrapped = s.mode == WRAP
    k.upwards = False
    for i in range(48):
        k.ramp[i] = <int32_t>i
    return (outside_lanes(s, -lanes, n - lanes if k.wrapped else 0, s.left, k.left)
            and outside_lanes(s, n, 0 if k.wrapped else n - lanes, after, k.right))


cdef inline void plan_moves(Straight* k) noexcept nogil:
    cdef Py_ssize_t t, i, words, each = VECTOR_BYTES // 4
    for t in range(k.wide):
        words = (t - k.before // k.channels) * k.step
        for i in range(each):
            one_by_one()
            k.moves[16 * t + i] = <int32_t>(i + (words if words >= 0 else each + words))


cdef inline int straight(Straight* k, Sweep* s, straight_line line) noexcept nogil:
    """Rows y0 ... y1 of the result; y0 becomes the first that `line` cannot make, or y1.

    -1 when there is no memory, and nothing was written then.
    """
    cdef bint scratched = s.write != NULL or s.clipped
    cdef Py_ssize_t y, t, source, bytes = k.numbers * s.itemsize, i
    cdef bint beyond = s.mode == CONSTANT and (s.y0 < s.top or s.y1 - s.top + s.rows - 1 > s.height)
    cdef Py_ssize_t held = bytes if beyond else 0, made = row_bytes(k.made * s.size) if scratched else 0
    cdef Py_ssize_t narrowed = k.made * s.dst_itemsize if scratched and s.streamed else 0
    cdef Py_ssize_t pointers = s.rows * <Py_ssize_t>sizeof(void*) if s.rows > STRAIGHT_TAPS else 0
    cdef const char *few[STRAIGHT_TAPS]
    cdef const char** rows = few
    cdef char* memory = NULL
    cdef char* left
    cdef char* constant
    cdef char* made_line
    cdef char* dst
    if held + made + narrowed + pointers > 0:
        memory = scratch(lined(pointers) + lined(held) + lined(made) + lined(narrowed))
        if memory == NULL:
            return -1
    left = memory
    if pointers > 0:
        rows = <const char**>take(&left, pointers)
    constant = take(&left, held)
    made_line = take(&left, made)
    s.narrowed = take(&left, narrowed)
    if beyond and s.itemsize == 1:
        memset(constant, <int>s.cval, bytes)
    elif beyond:
        for i in range(k.numbers):
            if s.itemsize == 2:
                (<uint16_t*>constant)[i] = <uint16_t>s.cval
            elif s.itemsize == 4:
                (<float*>constant)[i] = <float>s.cval
            else:
                (<double*>constant)[i] = s.cval
    while s.y0 < s.y1:
        y = s.y0
        for t in range(s.rows):
            source = fold(y - s.top + t, s.height, s.mode)
            rows[s.rows - 1 - t if k.upwards else t] = constant if source < 0 else s.src + source * s.row_step
        dst = s.dst + y * s.dst_step
        if line(k, rows, made_line if scratched else dst, s.streamed and not scratched):
            break
        if scratched:
            write_line(s, made_line, k.made, dst)
        s.y0 += 1
    free(memory)
    if s.streamed:
        stream_end()
    return 0
