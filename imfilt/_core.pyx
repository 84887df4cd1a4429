"""The loops: one function per loop shape, each for a range of output rows.

Each is a sweep (imfilt/_sweep.pxd) with hooks of its own, which hand rows of scratch memory
to the row arithmetic (imfilt/_rows.pxd). Arguments are trusted (imfilt/_engine/checks.py has
looked at them) except for the sizes on which memory safety rests. The GIL is released while
pixels move. The readable form of each function, with the same signature, is in
imfilt/_engine/twin.py.
"""

cimport numpy as cnp
from libc.math cimport fabs, rint
from libc.stdlib cimport free, malloc, realloc
from libc.stdint cimport int16_t, int32_t, uint16_t, uint32_t, uint64_t, uint8_t
from libc.string cimport memcpy, memset

from imfilt._pixels cimport real
from imfilt._rows cimport (
    add_pairs, add_rows, add_taps, any_sum, blend_rows, block_means, BY_SCALE, byte_blocks, Dense, DENSE_ROWS,
    dense_tile, DENSE_VECTORS, even_rows, expected, FEW, fir_lines, fir_rows, gradient_row, largest, lift, Mean,
    mean_bytes, mean_windows, mix_tile, narrow_levels, norm_row, one_by_one, periodic_rows, put, reciprocal,
    scaled_bytes, scaled_sum, scaled_words, shared_lines, shuffle_f32, shuffled, SHUFFLES, slide, SMALL_TILE,
    sobel_rows, store, store_part_f32, STREAM_ALIGNMENT, sum_upwards, sums_from_left, suppress_row, Tile, TILE_PIXELS,
    total, twofold_row, vec, VECTOR_BYTES, vf32, vf64, whole_pixel, whole_rows, widen_bytes, window_levels, window_sums,
)
from imfilt._sweep cimport (
    arrange, as_bytes, begin_block, column_at, CONSTANT, copy_bytes, fold, kind_of, lined, load_row, make_line, padded,
    pick, picked_lanes, plan_picking, prepare, put_beside, read_parts, read_row, row_bytes, same_channels, scratch,
    spread, steps_once, stream_bytes, stream_end, sweep, Sweep, take,
)
from imfilt._straight cimport (
    ADDED, BOTH, CROSSED, DENSE, goes_straight, picture, plan_moves, straight, Straight, straight_line, straight_row,
    STRAIGHT_TAPS, widened,
)

cnp.import_array()

cdef enum:
    IN_PLACE_BYTES = 8192  # a row this long is worth strips of their own at its ends (measured)
    WAY_BYTES = 4096       # of a first-level cache: rows that are nearly a multiple of it apart compete for its lines
    WAYS = 6               # that rows may have of such a cache, beside what else is in use
    PIECE_BYTES = 256      # of a row that are used at a time
    WIDENED_TAPS = 6
    SHARPENING_TAPS = 9    # of a Gaussian, for which there is a loop: those of unsharp_mask's usual radius
    FEW_TAPS = 5           # of a row, fewer of which are read where they are
    SHARING_LINES = 4      # see shared_lines
    WORTH_ASKING = 5       # taps: with fewer, to ask for the next row takes longer than to wait for it (measured)


LANES = VECTOR_BYTES // 4  # numbers of single precision in a vector: what packed weights depend on


# One copy of each for all loops, not inlined: they run once in a call, or for a row.

cdef int opened(Sweep* s, cnp.ndarray src, cnp.ndarray dst, frame, Py_ssize_t y0, Py_ssize_t y1) except -1:
    return prepare(s, src, dst, frame, y0, y1)


cdef int parity(const double* weights, Py_ssize_t count) noexcept nogil:
    """+1 for w[t] == w[-t], -1 for w[t] == -w[-t] with a zero centre, 0 for neither."""
    cdef Py_ssize_t t
    cdef bint even = count % 2, odd = count % 2 and count > 1 and weights[count // 2] == 0
    for t in range(count // 2):
        even = even and weights[t] == weights[count - 1 - t]
        odd = odd and weights[t] == -weights[count - 1 - t]
    return 1 if even else -1 if odd else 0


cdef const Py_ssize_t* indices(cnp.ndarray array, Py_ssize_t count) except NULL:
    if (cnp.PyArray_TYPE(array) != cnp.NPY_INTP or not cnp.PyArray_ISCARRAY_RO(array)
            or cnp.PyArray_SIZE(array) != count or count < 1):
        raise ValueError(f"core: {count} contiguous indices of type intp are needed")
    return <const Py_ssize_t*>cnp.PyArray_DATA(array)


cdef const double* taps(cnp.ndarray weights, Py_ssize_t count) except NULL:
    if (cnp.PyArray_TYPE(weights) != cnp.NPY_DOUBLE or not cnp.PyArray_ISCARRAY_RO(weights)
            or cnp.PyArray_SIZE(weights) != count or count < 1):
        raise ValueError(f"core: {count} contiguous float64 taps are needed")
    return <const double*>cnp.PyArray_DATA(weights)


cdef void to_lanes(const double* weights, Py_ssize_t count, vec* dst) noexcept nogil:
    spread(weights, count, dst)


cdef void sum_rows(const char** taps, Py_ssize_t step, Py_ssize_t lines, Py_ssize_t count, const vec* weights,
                   int parity, const vec* scale, char* out, Py_ssize_t out_step, const char* ahead,
                   Py_ssize_t nbytes) noexcept nogil:
    fir_rows(taps, step, lines, count, weights, parity, scale, False, out, out_step, ahead, nbytes)


cdef void a_row(Sweep* s, void* work, Py_ssize_t y, Py_ssize_t pixels, char* dst) noexcept nogil:
    read_row(s, work, y, pixels, dst)


cdef void beside(Sweep* s, char* dst, Py_ssize_t inside) noexcept nogil:
    put_beside(s, dst, inside)


cdef bint may_stay(const Sweep* s, cnp.ndarray src):
    """Whether rows are read where they are: numbers, long rows, which find room in the first-level cache together."""
    cdef Py_ssize_t t, apart, crowd = 1
    if not (s.packed and kind_of(src) == b"f" and s.itemsize == s.size and s.width * s.pixel >= IN_PLACE_BYTES):
        return False
    for t in range(1, s.rows + s.block - 1):
        apart = t * s.row_step % WAY_BYTES  # of either sign
        if min(abs(apart), WAY_BYTES - abs(apart)) < PIECE_BYTES:
            crowd += 1
    return crowd <= WAYS


cdef int swept(Sweep* s, void* work, load_row load, begin_block begin, make_line make) noexcept nogil:
    return sweep(s, work, load, begin, make)


cdef int may_go_straight(Straight* k, const Sweep* s, cnp.ndarray src):
    return goes_straight(k, s, src)


cdef int went_straight(Straight* k, Sweep* s, straight_line line) noexcept nogil:
    return straight(k, s, line)


cdef void outside_sum(const Sweep* s, Py_ssize_t count, int parity, const vec* weights, vec* out) noexcept nogil:
    """The weighted sum of a column of the constant."""
    cdef double[8] constant
    cdef const char *rows[STRAIGHT_TAPS]
    cdef Py_ssize_t t
    for t in range(count):
        rows[t] = <const char*>constant
    spread(&s.cval, 1, <vec*>constant)
    any_sum(rows, 0, count, weights, parity, NULL, False, <char*>out, 1)


cdef extern from "_simd.h" nogil:
    void polar_f32(float* down, float* along, Py_ssize_t n, bint diagonal, float factor)
    void polar_f64(double* down, double* along, Py_ssize_t n, bint diagonal, double factor)
    void repeat_bytes(const char* src, char* out, Py_ssize_t bytes, Py_ssize_t factor, Py_ssize_t n)
    void quarter_bytes(const void* above, const void* below, uint8_t* out, Py_ssize_t n)
    void quarter_words(const void* above, const void* below, uint16_t* out, Py_ssize_t n)
    void byte_taps(const uint8_t** taps, const int16_t* weights, Py_ssize_t count, int16_t bias, int shift, uint8_t* out,
                   Py_ssize_t n)


# ---- separable: columns of taps, then rows of taps -------------------------------

ctypedef struct Separable:
    Py_ssize_t terms
    const Py_ssize_t* tall             # the taps of column r are tall[r] ... tall[r + 1]
    const Py_ssize_t* wide             # and those of row r wide[r] ... wide[r + 1]
    Py_ssize_t tallest
    Py_ssize_t phases
    const Py_ssize_t* down             # the row of the frame under each tap of the columns
    const Py_ssize_t* along            # and the column under each tap of the rows
    const double* column
    int* parities                      # of the rows
    int parity                         # of the only row
    char* column_weights
    char* row_weights
    char* middle                       # block lines of each phase of each term
    Py_ssize_t middle_step
    char* whole                        # block lines before they are taken apart into phases
    Py_ssize_t whole_step
    const char** picks                 # a pointer for each tap of each line
    int16_t* small                     # all weights, columns first, where sums of bytes fit into 16 bits
    Py_ssize_t* places                 # where in `middle` each tap of the rows reads for the first line
    bint* plain                        # terms of one tap each way, read from rows as they are
    const char** sources               # and a pointer to that, for the line at hand


cdef inline void take_apart(const char* src, Py_ssize_t step, char* dst, Py_ssize_t channels, Py_ssize_t pixels,
                            const vec* unused) noexcept nogil:
    """Every `step`-th number of a line, and those of its pixel, side by side."""
    if vec is vf32:
        pick(<const float*>src, step, <float*>dst, channels, pixels, channels, NULL)
    else:
        pick(<const double*>src, step, <double*>dst, channels, pixels, channels, NULL)


cdef inline bint is_run(const Py_ssize_t* places, Py_ssize_t count) noexcept nogil:
    """Whether taps lie side by side, from the first on."""
    cdef Py_ssize_t t
    for t in range(1, count):
        if places[t] != places[0] + t:
            return False
    return True


cdef void separable_block(Sweep* s, void* work, const char** rows, Py_ssize_t count,
                          Py_ssize_t nbytes, vec* unused) noexcept nogil:
    cdef Separable* k = <Separable*>work
    cdef Py_ssize_t r, p, i, t, n, first, pixels = 0, reach = padded(nbytes + (s.columns - 1) * s.pixel), begin = 0
    cdef int evenness
    cdef bint shared, asked = False, bordered = s.bare and s.beside and s.before + s.after > 0
    cdef char* lines = k.whole
    if bordered:  # sums have the border that pixels would have
        pixels = s.numbers // s.channels + s.columns - 1 - s.before - s.after
        begin, reach = s.before * s.pixel, padded(pixels * s.pixel)
    elif s.stride_x > 1:
        reach = padded(((s.numbers // s.channels - 1) * s.stride_x + s.columns) * s.pixel)
    elif s.in_place:  # nothing beyond the last pixel is ours to read
        reach = max(s.numbers * s.size, VECTOR_BYTES) + (s.columns - 1) * s.pixel
    for r in range(k.terms):
        if k.plain[r]:
            continue
        first, n = k.tall[r], k.tall[r + 1] - k.tall[r]
        if s.stride_x == 1:
            lines = k.middle + s.shift + r * s.block * k.middle_step + begin
        evenness = parity(k.column + first, n)
        shared = (count >= SHARING_LINES and s.stride_x == 1 and s.stride_y == 1 and evenness >= 0
                  and is_run(k.down + first, n))
        if shared:
            for t in range(n + count - 1):
                k.picks[t] = rows[k.down[first] + t] + begin
            shared_lines(k.picks, count, n, <const vec*>k.column_weights + first, evenness, lines, k.middle_step,
                         s.ahead if s.in_place and not asked else NULL, s.row_step, reach)
        else:
            for i in range(count):
                for t in range(n):
                    k.picks[i * n + t] = rows[i * s.stride_y + k.down[first + t]] + begin
            sum_rows(k.picks, n, count, n, <const vec*>k.column_weights + first, evenness, <const vec*>NULL, lines,
                     k.middle_step if s.stride_x == 1 else k.whole_step,
                     s.ahead if count == 1 and not asked else NULL, reach)
        asked = True
        for i in range(count if bordered else 0):
            beside(s, lines + i * k.middle_step - begin, pixels)
        for p in range(k.phases if s.stride_x > 1 else 0):
            pixels = (reach // s.pixel - p + s.stride_x - 1) // s.stride_x
            for i in range(count):
                take_apart(k.whole + i * k.whole_step + p * s.pixel, s.stride_x * s.channels,
                           k.middle + ((r * k.phases + p) * s.block + i) * k.middle_step, s.channels, pixels,
                           <const vec*>s.scale_vector)


cdef bint sharpened_straight(const Straight* k, const picture** rows, vec* out, bint stream) noexcept nogil:
    return straight_row(k, rows, ADDED, SHARPENING_TAPS, SHARPENING_TAPS, 1, 1, <char*>out, stream,
                        (<const vec*>k.scale)[0] - (<const vec*>k.scale)[0])


cdef bint separable_straight(const Straight* k, const picture** rows, vec* out, bint stream) noexcept nogil:
    cdef vec none = (<const vec*>k.scale)[0] - (<const vec*>k.scale)[0]
    if k.tall == 3 and k.down > 0 and k.along > 0:  # constants, so that the compiler unrolls
        return straight_row(k, rows, CROSSED, 3, 3, 1, 1, <char*>out, stream, none)
    if k.tall == 3 and k.down > 0:
        return straight_row(k, rows, CROSSED, 3, 3, 1, -1, <char*>out, stream, none)
    if k.tall == 3 and k.down < 0:
        return straight_row(k, rows, CROSSED, 3, 3, -1, 1, <char*>out, stream, none)
    if k.tall == 3:
        return straight_row(k, rows, CROSSED, 3, 3, 0, 0, <char*>out, stream, none)
    if k.tall == 5 and k.down > 0 and k.along > 0:
        return straight_row(k, rows, CROSSED, 5, 5, 1, 1, <char*>out, stream, none)
    if k.tall == 5 and k.down > 0:
        return straight_row(k, rows, CROSSED, 5, 5, 1, -1, <char*>out, stream, none)
    if k.tall == 5:
        return straight_row(k, rows, CROSSED, 5, 5, -1, 1, <char*>out, stream, none)
    if k.tall == 4:
        return straight_row(k, rows, CROSSED, 4, 4, 0, 0, <char*>out, stream, none)
    if SHUFFLES > 1 and k.tall == 7:
        return straight_row(k, rows, CROSSED, 7, 7, 1, 1, <char*>out, stream, none)
    if SHUFFLES > 1:
        return straight_row(k, rows, CROSSED, 9, 9, 1, 1, <char*>out, stream, none)
    return True


cdef inline int direction(const Py_ssize_t* places, Py_ssize_t count) noexcept nogil:
    """1 if taps lie side by side from the first place on, -1 if they do up to it from the last, else 0."""
    cdef Py_ssize_t t
    cdef bint on = True, back = True
    for t in range(count):
        on = on and places[t] == t
        back = back and places[t] == count - 1 - t
    return 1 if on else -1 if back else 0


cdef inline bint is_crossed(const Separable* k, const Sweep* s, Py_ssize_t columns, Py_ssize_t rows) noexcept nogil:
    """Whether there is a loop without scratch for the only term."""
    cdef int down = parity(k.column, columns), along = k.parity, to = direction(k.along, rows)
    if (columns != rows or columns != s.rows or rows != s.columns or s.left != rows // 2 or to == 0
            or not direction(k.down, columns)):
        return False
    if down == 0 and along == 0:
        return (columns == 3 or columns == 4) and to > 0 and direction(k.down, columns) > 0
    if down > 0 and along > 0:
        return columns == 3 or columns == 5 or (SHUFFLES > 1 and (columns == 7 or columns == 9))
    return (columns == 3 or columns == 5) and down + along == 0 and down != 0 and (along > 0 or to < 0)


cdef inline bint is_sharpened(const Separable* k, const Sweep* s, const double* row) noexcept nogil:
    """Whether the image, weighted, is added to what is summed under even taps, as many as there is a loop for."""
    cdef Py_ssize_t n = SHARPENING_TAPS
    return (k.terms == 2 and s.rows == n and s.columns == n and s.left == n // 2 and k.tall[1] == 1 and k.wide[1] == 1
            and k.column[0] == 1 and k.down[0] == n // 2 and k.along[0] == n // 2 and k.tall[2] == n + 1
            and k.wide[2] == n + 1 and direction(k.down + 1, n) > 0 and direction(k.along + 1, n) > 0
            and parity(k.column + 1, n) > 0 and parity(row + 1, n) > 0 and max(s.stride_y, s.stride_x) == 1)


cdef inline int separable_straightly(Straight* b, const Separable* k, Sweep* s, const double* row) noexcept nogil:
    cdef straight_line line
    cdef Py_ssize_t last = k.terms - 1  # what is added to it is the image itself
    cdef const double* column = k.column + k.tall[last]
    b.tall, b.wide, b.down, b.along = s.rows, s.columns, parity(column, s.rows), k.parity
    b.upwards = direction(k.down + k.tall[last], s.rows) < 0
    plan_moves(b)
    if s.wide:
        to_lanes(column, s.rows, <vf64*>b.column_weights)
        to_lanes(row + k.wide[last], s.columns, <vf64*>b.row_weights)
        outside_sum(s, s.rows, b.down, <const vf64*>b.column_weights, <vf64*>b.outside)
        spread(&s.cval, 1, <vf64*>b.outside + 1)
        spread(row, 1, <vf64*>b.added)
        line = <straight_line>separable_straight[double, vf64]
        if last:
            line = <straight_line>sharpened_straight[double, vf64]
    else:
        to_lanes(column, s.rows, <vf32*>b.column_weights)
        to_lanes(row + k.wide[last], s.columns, <vf32*>b.row_weights)
        outside_sum(s, s.rows, b.down, <const vf32*>b.column_weights, <vf32*>b.outside)
        spread(&s.cval, 1, <vf32*>b.outside + 1)
        spread(row, 1, <vf32*>b.added)
        if s.itemsize == 1:
            line = <straight_line>sharpened_straight[uint8_t, vf32]
            if last == 0:
                line = <straight_line>separable_straight[uint8_t, vf32]
        elif s.itemsize == 2:
            line = <straight_line>sharpened_straight[uint16_t, vf32]
            if last == 0:
                line = <straight_line>separable_straight[uint16_t, vf32]
        else:
            line = <straight_line>sharpened_straight[float, vf32]
            if last == 0:
                line = <straight_line>separable_straight[float, vf32]
    return went_straight(b, s, line)


cdef inline void find_sources(const Sweep* s, Separable* k, const char** rows, Py_ssize_t i) noexcept nogil:
    """What each tap of the rows reads for line i."""
    cdef Py_ssize_t r, t
    for t in range(k.wide[k.terms]):
        k.sources[t] = k.middle + s.shift + k.places[t] + i * k.middle_step
    for r in range(k.terms):
        if k.plain[r]:
            k.sources[k.wide[r]] = rows[i + k.down[k.tall[r]]] + s.left * s.pixel


cdef inline void line_sums(const char** taps, Py_ssize_t x, Py_ssize_t count, const vec* weights, int parity,
                           const vec* scale, char* out) noexcept nogil:
    cdef vec[4] s
    cdef Py_ssize_t i, begin = count // 2 if parity > 0 else 0
    for i in range(4):
        s[i] = -(weights[0] - weights[0])  # adding to -0 changes nothing
        if parity >= 0:
            s[i] = (<const vec*>(taps[begin] + x))[i] * weights[begin]
    if parity == 0:
        add_taps(taps, x, 1, count, weights, s, 4)
    else:
        add_pairs(taps, x, count, weights, parity, s, 4)
    store(out + x, VECTOR_BYTES, scale, s, 4, False)


cdef void sum_line(const char** taps, Py_ssize_t count, const vec* weights, int parity, const vec* scale, char* out,
                   Py_ssize_t nbytes) noexcept nogil:
    """sum_rows of one line, for taps that all lie in one line of scratch."""
    cdef Py_ssize_t x = 0
    while x + 4 * VECTOR_BYTES <= nbytes:
        if parity > 0:
            line_sums(taps, x, count, weights, 1, scale, out)
        elif parity < 0:
            line_sums(taps, x, count, weights, -1, scale, out)
        else:
            line_sums(taps, x, count, weights, 0, scale, out)
        x += 4 * VECTOR_BYTES
    while x < nbytes:
        any_sum(taps, min(x, nbytes - VECTOR_BYTES), count, weights, parity, scale, False, out, 1)
        x += VECTOR_BYTES


cdef inline void term_sums(const char** taps, Py_ssize_t x, const Py_ssize_t* first, const int* parities,
                           Py_ssize_t terms, const vec* weights, const vec* scale, bint stream, char* out,
                           Py_ssize_t width) noexcept nogil:
    """any_sum of one term after the other, all into the same sums: term r has taps first[r] ... first[r + 1]."""
    cdef const vec* a
    cdef vec[4] s
    cdef vec w, zero = weights[0] - weights[0]
    cdef Py_ssize_t r, t, i, begin, count
    for i in range(width):
        s[i] = -zero  # adding to -0 changes nothing, not even the sign of a zero
    for r in range(terms):
        begin, count = first[r], first[r + 1] - first[r]
        if parities[r] < 0:
            add_pairs(taps + begin, x, count, weights + begin, -1, s, width)
            continue
        if parities[r] == 0:
            add_taps(taps + begin, x, 0, count, weights + begin, s, width)
        else:
            t = begin + count // 2
            a = <const vec*>(taps[t] + x)
            w = weights[t]
            for i in range(width):
                s[i] = s[i] + a[i] * w
            add_pairs(taps + begin, x, count, weights + begin, 1, s, width)
    store(out + x, VECTOR_BYTES, scale, s, width, stream)


cdef inline void term_rows(const char** taps, const Py_ssize_t* first, const int* parities, Py_ssize_t terms,
                           const vec* weights, const vec* scale, bint stream, char* out,
                           Py_ssize_t nbytes) noexcept nogil:
    """One line of `term_sums`: exactly `nbytes`, one vector at least."""
    cdef Py_ssize_t x = 0
    while x + 4 * VECTOR_BYTES <= nbytes:
        term_sums(taps, x, first, parities, terms, weights, scale, stream, out, 4)
        x += 4 * VECTOR_BYTES
    while x + VECTOR_BYTES <= nbytes:
        term_sums(taps, x, first, parities, terms, weights, scale, stream, out, 1)
        x += VECTOR_BYTES
    if x < nbytes:
        term_sums(taps, nbytes - VECTOR_BYTES, first, parities, terms, weights, scale, False, out, 1)


cdef void separable_line(Sweep* s, void* work, const char** rows, Py_ssize_t y, Py_ssize_t i, Py_ssize_t count,
                         bint stream, vec* out, Py_ssize_t out_step, Py_ssize_t nbytes) noexcept nogil:
    cdef Separable* k = <Separable*>work
    find_sources(s, k, rows, i)
    if k.terms == 1 and (SHUFFLES < 2 or k.wide[1] < FEW_TAPS):
        sum_rows(k.sources, 0, 1, k.wide[1], <const vec*>k.row_weights, k.parity, <const vec*>s.scaled, <char*>out, 0,
                 NULL, nbytes)
    elif k.terms == 1:
        sum_line(k.sources, k.wide[1], <const vec*>k.row_weights, k.parity, <const vec*>s.scaled, <char*>out, nbytes)
    else:
        term_rows(k.sources, k.wide, k.parities, k.terms, <const vec*>k.row_weights, <const vec*>s.scaled, False,
                  <char*>out, nbytes)


# Bytes under small whole taps: sums are exact in 16 bits, twice as many in a vector, and the ring holds bytes.

cdef void small_block(Sweep* s, void* work, const char** rows, Py_ssize_t count, Py_ssize_t nbytes) noexcept nogil:
    cdef Separable* k = <Separable*>work
    cdef Py_ssize_t i, t, n = k.tall[1]
    for i in range(count):
        for t in range(n):
            k.picks[t] = rows[i + k.down[t]]
        whole_rows(<const uint8_t**>k.picks, k.small, n, parity(k.column, n), 1, <int16_t*>k.whole,
                   <int16_t*>(k.middle + i * k.middle_step), nbytes // 4 + (s.columns - 1) * s.channels)


cdef void small_line(Sweep* s, void* work, const char** rows, Py_ssize_t y, Py_ssize_t i, Py_ssize_t count,
                     bint stream, char* out, Py_ssize_t out_step, Py_ssize_t nbytes) noexcept nogil:
    cdef Separable* k = <Separable*>work
    find_sources(s, k, rows, i)
    whole_rows(<const int16_t**>k.sources, k.small + k.tall[1], k.wide[1], k.parity, <float>s.scale,
               <int16_t*>k.whole, <float*>out, nbytes // 4)


cdef inline double first_weight(const double* weights, Py_ssize_t count) noexcept nogil:
    """The weight of the first product of a sum: if that is positive, a sum of 0 is never -0."""
    return weights[count // 2] if parity(weights, count) > 0 else weights[0]


cdef inline bint is_small(Separable* k, Sweep* s, const double* row, cnp.ndarray src):
    cdef Py_ssize_t t
    cdef double column_sum = 0, row_sum = 0
    if (s.wide or s.itemsize != 1 or kind_of(src) not in (b"u", b"b") or k.terms > 1 or max(s.stride_x, s.stride_y) > 1
            or (s.mode == CONSTANT and not (0 <= s.cval <= 255 and s.cval == <int>s.cval))):
        return False
    for t in range(k.tall[1]):
        if k.column[t] != rint(k.column[t]):
            return False
        column_sum += fabs(k.column[t])
    for t in range(k.wide[1]):
        if row[t] != rint(row[t]):
            return False
        row_sum += fabs(row[t])
    return (column_sum * max(row_sum, 1) * 255 <= 32767 and first_weight(k.column, k.tall[1]) > 0
            and first_weight(row, k.wide[1]) > 0)


cdef inline Py_ssize_t starts(const Py_ssize_t* first, Py_ssize_t sets) except -1:
    """The length of the longest of some sets that follow one another, none of them empty."""
    cdef Py_ssize_t t, longest = 0
    if first[0] != 0:
        raise ValueError("core: sets begin at 0")
    for t in range(sets):
        if first[t] >= first[t + 1]:
            raise ValueError("core: each set needs a tap")
        longest = max(longest, first[t + 1] - first[t])
    return longest


def separable(cnp.ndarray src not None, cnp.ndarray dst not None, frame,
              cnp.ndarray column not None, cnp.ndarray row not None, cnp.ndarray down not None,
              cnp.ndarray along not None, cnp.ndarray tall not None, cnp.ndarray wide not None,
              Py_ssize_t y0, Py_ssize_t y1, /):
    """Rows y0 to y1 of the correlation of src with a sum of outer products of a column and a row.

    column holds the taps of the columns one after the other, row those of the rows; down and along hold where
    in the frame these taps lie, tall and wide where those of each term begin.
    """
    cdef Sweep s
    cdef Separable k
    cdef int status = -1
    cdef Py_ssize_t r, t, columns, rows
    cdef bint small
    cdef const double* given
    cdef char* memory
    cdef char* left
    cdef Straight b
    opened(&s, src, dst, frame, y0, y1)
    same_channels(&s)
    k.terms = cnp.PyArray_SIZE(tall) - 1
    k.tall, k.wide = indices(tall, k.terms + 1), indices(wide, k.terms + 1)
    if k.terms < 1:
        raise ValueError("core: a term is needed")
    k.tallest = starts(k.tall, k.terms)
    starts(k.wide, k.terms)
    columns, rows = k.tall[k.terms], k.wide[k.terms]
    k.down, k.along = indices(down, columns), indices(along, rows)
    for t in range(columns):
        if not 0 <= k.down[t] < s.rows:
            raise ValueError("core: a tap lies outside the frame")
    for t in range(rows):
        if not 0 <= k.along[t] < s.columns:
            raise ValueError("core: a tap lies outside the frame")
    if s.up_y != 1 or s.up_x != 1:
        raise ValueError("core: separable makes no more pixels than there are")
    k.phases = min(s.stride_x, s.columns)
    k.column, given = taps(column, columns), taps(row, rows)
    k.parity = parity(given, rows)
    s.in_place = s.stride_x == 1 and may_stay(&s, src)
    if (((SHUFFLES and k.terms == 1 and is_crossed(&k, &s, columns, rows))
            or (SHUFFLES > 1 and is_sharpened(&k, &s, given))) and may_go_straight(&b, &s, src)):
        with nogil:
            status = separable_straightly(&b, &k, &s, given)
        if status < 0:
            raise MemoryError("imfilt: no memory for the rows of a strip")
        return
    small = not SHUFFLES and is_small(&k, &s, given, src)
    # Where a line is all of a strip, columns are summed before the border is put on.
    if (s.stride_x == 1 and not small and not s.streamed
            and (s.strip * s.channels - s.chunk) * s.size < 64):  # chunks are whole lines of cache
        s.bare = s.pixel
        arrange(&s, 1, s.pixel, s.size, 1, s.strip * s.channels)
    if small:
        s.pixel = s.channels
        s.read = copy_bytes
        arrange(&s, 1, s.pixel, 1, 1, 1)
    # A line is made from whole rows, and then taken apart: strides cost that once for each line, not for each row.
    if s.stride_x > 1:
        arrange(&s, 1, s.pixel, s.stride_x * s.size, 1, s.channels)
    with nogil:
        k.middle_step = k.whole_step = s.line_step
        memory = scratch(lined(k.terms * k.phases * s.block * k.middle_step + 64) + lined(columns * VECTOR_BYTES)
                         + lined(s.block * k.whole_step if s.stride_x > 1 else k.whole_step if small else 0)
                         + lined((columns + rows) * <Py_ssize_t>sizeof(int16_t)) + lined(rows * VECTOR_BYTES)
                         + lined(s.block * k.tallest * <Py_ssize_t>sizeof(void*))
                         + 2 * lined(rows * <Py_ssize_t>sizeof(void*)) + 2 * lined(k.terms * <Py_ssize_t>sizeof(int)))
        left = memory
        if memory != NULL:
            k.middle = take(&left, k.terms * k.phases * s.block * k.middle_step + 64)
            k.whole = take(&left, s.block * k.whole_step if s.stride_x > 1 else k.whole_step if small else 0)
            k.small = <int16_t*>take(&left, (columns + rows) * <Py_ssize_t>sizeof(int16_t))
            k.column_weights = take(&left, columns * VECTOR_BYTES)
            k.row_weights = take(&left, rows * VECTOR_BYTES)
            k.picks = <const char**>take(&left, s.block * k.tallest * <Py_ssize_t>sizeof(void*))
            k.sources = <const char**>take(&left, rows * <Py_ssize_t>sizeof(void*))
            k.places = <Py_ssize_t*>take(&left, rows * <Py_ssize_t>sizeof(Py_ssize_t))
            for r in range(k.terms):
                for t in range(k.wide[r], k.wide[r + 1]):
                    k.places[t] = (r * k.phases * s.block * k.middle_step
                                   + k.along[t] * (2 * s.channels if small else s.cell))
                    if s.stride_x > 1:
                        k.places[t] = ((r * k.phases + k.along[t] % s.stride_x) * s.block * k.middle_step
                                       + k.along[t] // s.stride_x * s.cell)
            k.parities = <int*>take(&left, k.terms * <Py_ssize_t>sizeof(int))
            k.plain = <bint*>take(&left, k.terms * <Py_ssize_t>sizeof(int))
            for t in range(k.terms):
                k.parities[t] = parity(given + k.wide[t], k.wide[t + 1] - k.wide[t])
                # The border is not on these rows, if the loop puts it on; nor does such a tap read it.
                k.plain[t] = (k.tall[t + 1] == k.tall[t] + 1 and k.wide[t + 1] == k.wide[t] + 1 and not small
                              and max(s.stride_y, s.stride_x) == 1 and k.column[k.tall[t]] == 1
                              and k.along[k.wide[t]] == s.left and s.out_width == s.width)
            if not SHUFFLES and small:
                for t in range(columns):
                    k.small[t] = <int16_t>k.column[t]
                for t in range(rows):
                    k.small[columns + t] = <int16_t>given[t]
                status = swept(&s, &k, a_row, small_block, small_line)
            elif s.wide:
                to_lanes(k.column, columns, <vf64*>k.column_weights)
                to_lanes(given, rows, <vf64*>k.row_weights)
                status = swept(&s, &k, a_row, <begin_block>separable_block[vf64],
                               <make_line>separable_line[vf64])
            else:
                to_lanes(k.column, columns, <vf32*>k.column_weights)
                to_lanes(given, rows, <vf32*>k.row_weights)
                status = swept(&s, &k, a_row, <begin_block>separable_block[vf32],
                               <make_line>separable_line[vf32])
        free(memory)
    if status < 0:
        raise MemoryError("imfilt: no memory for the rows of a strip")


# ---- box: sums of rectangles, at a cost that hardly grows with them ---------------------
#
# Down the columns rows fall into blocks as tall as the rectangle: a window is the end of one block and the beginning of
# the next. Along a row windows of 4, 16, 64 ... numbers are the sum of four of those before, and the digits of the
# width to base 4 say which to add up. No number is ever subtracted, so that errors stay as small as those of a plain
# sum, and NaN where it is. (M. van Herk, "A fast algorithm for local minimum and maximum filters", Pattern
# Recognition Letters 13, 1992, for the blocks.)

ctypedef struct Box:
    char* columns              # the sums of columns for a line, and the border
    char* levels               # sums of 4, 16, 64 ... of those
    Py_ssize_t level_step
    char* below                # the rows of a block so far, added up
    char** block               # those rows
    char* ring


cdef enum:
    BOX_BYTES = 16384          # of a line at a time, whose levels stay in a first-level cache


cdef inline char* box_slot(Sweep* s, Box* k, Py_ssize_t y) noexcept nogil:
    return k.ring + (y + s.top) % (s.rows + 1) * s.ring_step


cdef inline Py_ssize_t box_place(Sweep* s, Py_ssize_t y) noexcept nogil:
    """Where in its block source row y lies."""
    y = y % s.rows
    return y + s.rows if y < 0 else y


cdef inline Py_ssize_t box_begin(const Sweep* s) noexcept nogil:
    """Where in a row the numbers begin that columns are summed of: what else is beside them is put on later."""
    return s.before * s.pixel if s.beside else 0


cdef inline Py_ssize_t box_length(const Sweep* s, Py_ssize_t pixels) noexcept nogil:
    return padded((pixels - (s.before + s.after if s.beside else 0)) * s.pixel)


cdef void box_row(Sweep* s, void* work, Py_ssize_t y, Py_ssize_t pixels, vec* ring_row) noexcept nogil:
    cdef Box* k = <Box*>work
    cdef Py_ssize_t t, place = box_place(s, y), begin = box_begin(s), nbytes = box_length(s, pixels)
    cdef vec unused = (<const vec*>s.scale_vector)[0]
    a_row(s, NULL, y, pixels, <char*>ring_row)
    if place == 0:
        memcpy(k.below, <char*>ring_row + begin, nbytes)
    else:
        add_rows(k.below, k.below, <char*>ring_row + begin, nbytes, unused)
    k.ring = <char*>ring_row - (y + s.top) % (s.rows + 1) * s.ring_step
    if place == s.rows - 1:
        for t in range(s.rows):
            k.block[t] = box_slot(s, k, y - place + t) + begin
        # Rows before the first of the band were never read.
        sum_upwards(k.block, max(s.y0 - s.top - (y - place), 0), s.rows, nbytes, unused)


cdef void box_line(Sweep* s, void* work, const char** rows, Py_ssize_t y, Py_ssize_t i, Py_ssize_t count,
                   bint stream, vec* out, Py_ssize_t out_step, Py_ssize_t nbytes) noexcept nogil:
    cdef Box* k = <Box*>work
    cdef Py_ssize_t begin = box_begin(s), pixels = s.numbers // s.channels + s.columns - 1, x = 0, n
    cdef Py_ssize_t length = box_length(s, pixels)
    cdef const char* columns = k.columns + s.shift
    if box_place(s, y + i - s.top):
        add_rows(k.columns + s.shift + begin, rows[i] + begin, k.below, length, out[0])
    elif s.beside:
        memcpy(k.columns + s.shift + begin, rows[i] + begin, length)
    else:
        columns = rows[i]
    if s.beside:
        beside(s, k.columns + s.shift, pixels - s.before - s.after)
    while x < nbytes:
        n = min(BOX_BYTES, nbytes - x)
        if n < VECTOR_BYTES:
            n = VECTOR_BYTES
            x = nbytes - n
        window_sums(columns + x, k.levels, k.level_step, s.columns, s.pixel, <const vec*>s.scaled,
                    stream and <size_t>(<char*>out + x) % STREAM_ALIGNMENT == 0, s.ahead + x, <char*>out + x, n, out[0])
        x += n


# Bytes to bytes, and words of 16 bits to such: sums are whole numbers, so that they may be subtracted and have as few
# bits as they need. Rows are read from the image itself.

ctypedef struct Window:
    void* columns              # sums of the rows of a window, with those of columns outside the image
    uint32_t* sums             # of those, from the left, or of a window
    Mean mean                  # for bytes
    Py_ssize_t chunk           # numbers at a time, which stay in a first-level cache
    char* constant             # a row of the constant border
    int32_t* outside           # which numbers of the columns those outside are: the last for the constant


cdef enum:
    WINDOW_NUMBERS = 2048


cdef inline const char* window_row(const Sweep* s, const Window* k, Py_ssize_t y) noexcept nogil:
    y = fold(y, s.height, s.mode)
    return k.constant if y < 0 else s.src + y * s.row_step


cdef inline void put_outside(total* columns, const int32_t* outside, Py_ssize_t first, Py_ssize_t last,
                             Py_ssize_t at) noexcept nogil:
    """Sums of columns first ... last of those outside, from number `at` on."""
    cdef Py_ssize_t i
    for i in range(first, last):
        one_by_one()
        columns[at + i] = columns[outside[i]]


cdef inline void window_means(const Sweep* s, const Window* k, const total* columns, char* out, Py_ssize_t n,
                              whole_pixel unused) noexcept nogil:
    """Means of the windows from a column on."""
    cdef Py_ssize_t step = s.channels, ends = s.columns * step
    if whole_pixel is uint8_t:
        if s.columns <= FEW and s.rows * s.columns * 255 <= 65535:
            mean_windows(<const uint16_t*>columns, s.columns, step, &k.mean, <uint16_t*>k.sums, <uint8_t*>out, n)
            return
    sums_from_left(columns, whole_pixel is uint16_t, k.sums, step, n + ends - step)
    if whole_pixel is uint8_t:
        scaled_bytes(k.sums + ends, k.sums, k.mean.scale, <uint8_t*>out, n)
    else:
        scaled_words(k.sums + ends, k.sums, s.scale, <uint16_t*>out, n)


cdef inline void slide_windows(const Sweep* s, const Window* k, total* columns, whole_pixel unused) noexcept nogil:
    """Rows y0 ... y1 of the result; columns begin as zeros."""
    cdef Py_ssize_t y, x, t, n = s.width * s.channels, left = s.left * s.channels
    cdef total* inner = columns + left
    columns[n + (s.columns - 1) * s.channels] = <total>(s.rows * <Py_ssize_t>s.cval)
    for t in range(s.rows - 1):
        slide(inner, <const whole_pixel*>window_row(s, k, s.y0 - s.top + t), NULL, n)
    for y in range(s.y0, s.y1):
        slide(inner, <const whole_pixel*>window_row(s, k, y - s.top + s.rows - 1),
              <const whole_pixel*>(window_row(s, k, y - s.top - 1) if y > s.y0 else NULL), n)
        put_outside(columns, k.outside, 0, left, 0)
        put_outside(columns, k.outside, left, (s.columns - 1) * s.channels, n)
        x = 0
        while x < n:
            t = min(k.chunk, n - x)
            window_means(s, k, columns + x, s.dst + y * s.dst_step + x * s.itemsize, t, unused)
            x += t


cdef void bytes_windows(const Sweep* s, const Window* k) noexcept nogil:
    slide_windows(s, k, <uint16_t*>k.columns, <uint8_t>0)


cdef void words_windows(const Sweep* s, const Window* k) noexcept nogil:
    slide_windows(s, k, <uint32_t*>k.columns, <uint16_t>0)


cdef int means_of_windows(Sweep* s) noexcept nogil:
    """-1 where there is no memory, and nothing was written then."""
    cdef Window k
    cdef Py_ssize_t i, t, margin = s.columns - 1, n = s.width * s.channels, count = n + margin * s.channels
    cdef Py_ssize_t beside = s.columns * s.channels + VECTOR_BYTES, cell = 2 * s.itemsize
    cdef char* memory
    cdef char* left
    k.chunk = max(WINDOW_NUMBERS // s.channels, 2 * s.columns) * s.channels
    k.mean.scale, k.mean.shift = <float>s.scale, BY_SCALE
    if is_mean(s):
        reciprocal(s.rows * s.columns, &k.mean)
    memory = scratch(lined((count + VECTOR_BYTES) * cell) + lined((min(k.chunk, n) + 2 * beside) * 4)
                     + lined(n * s.itemsize) + lined(margin * s.channels * <Py_ssize_t>sizeof(int32_t)))
    left = memory
    if memory == NULL:
        return -1
    k.columns = take(&left, (count + VECTOR_BYTES) * cell)
    k.sums = <uint32_t*>take(&left, (min(k.chunk, n) + 2 * beside) * 4)
    k.constant = take(&left, n * s.itemsize)
    k.outside = <int32_t*>take(&left, margin * s.channels * <Py_ssize_t>sizeof(int32_t))
    if s.mode == CONSTANT:
        for i in range(n):
            if s.itemsize == 1:
                (<uint8_t*>k.constant)[i] = <uint8_t>s.cval
            else:
                (<uint16_t*>k.constant)[i] = <uint16_t>s.cval
    for i in range(margin * s.channels):
        t = i // s.channels
        t = fold(t - s.left if t < s.left else s.width + t - s.left, s.width, s.mode)
        k.outside[i] = <int32_t>(count if t < 0 else (s.left + t) * s.channels + i % s.channels)
    if s.itemsize == 1:
        bytes_windows(s, &k)
    else:
        words_windows(s, &k)
    free(memory)
    return 0


cdef inline bint takes_bytes(const Sweep* s, cnp.ndarray src, cnp.ndarray dst):
    """Whether all numbers are bytes, columns fit into 16 bits, and sums are exact in single precision."""
    return (not s.wide and s.packed and s.itemsize == 1 and kind_of(src) in (b"u", b"b") and s.dst_itemsize == 1
            and kind_of(dst) == b"u" and s.rows * 255 <= 65535 and s.rows * s.columns * 255 < 1 << 24 and not s.clipped
            and s.scale > 0 and (s.mode != CONSTANT or (0 <= s.cval <= 255 and s.cval == <int>s.cval)))


cdef inline bint takes_words(const Sweep* s, cnp.ndarray src, cnp.ndarray dst):
    """The same for words of 16 bits, where sums fit into 32 and are exact in double precision."""
    return (s.wide and s.packed and s.itemsize == 2 and kind_of(src) == b"u" and s.dst_itemsize == 2
            and kind_of(dst) == b"u" and s.rows * s.columns <= 65536 and not s.clipped
            and s.scale > 0 and (s.mode != CONSTANT or (0 <= s.cval <= 65535 and s.cval == <int>s.cval)))


cdef inline bint is_mean(const Sweep* s) noexcept nogil:
    """Whether sums of bytes under the frame fit into 16 bits, and the result is their mean."""
    return s.rows * s.columns * 255 <= 65535 and fabs(s.scale * (s.rows * s.columns) - 1) < 1e-9


def box(cnp.ndarray src not None, cnp.ndarray dst not None, frame, Py_ssize_t y0, Py_ssize_t y1, /):
    """Rows y0 to y1 of the sums of the rectangles that the frame is."""
    cdef Sweep s
    cdef Box k
    cdef int status = -1
    cdef char* memory
    cdef char* left
    opened(&s, src, dst, frame, y0, y1)
    same_channels(&s)
    if max(s.stride_y, s.stride_x, s.up_y, s.up_x, s.block) > 1:
        raise ValueError("core: box has no steps")
    if (s.out_width == s.width and 0 <= s.left < s.columns
            and (takes_bytes(&s, src, dst) or takes_words(&s, src, dst))):
        with nogil:
            status = means_of_windows(&s)
        if status < 0:
            raise MemoryError("imfilt: no memory for the rows of a strip")
        return
    with nogil:
        arrange(&s, 1, s.pixel, s.size, 1, s.strip * s.channels)  # a line is all of a strip
        s.bare, s.seen = s.pixel, 1
        k.level_step = row_bytes(min(BOX_BYTES, s.ring_step) + s.columns * s.pixel)
        memory = scratch(2 * s.ring_step + 64 + lined(window_levels(s.columns) * k.level_step)
                         + lined(s.rows * <Py_ssize_t>sizeof(void*)))
        left = memory
        if memory != NULL:
            k.columns = take(&left, s.ring_step + 64)
            k.levels = take(&left, window_levels(s.columns) * k.level_step)
            k.below = take(&left, s.ring_step)
            k.block = <char**>take(&left, s.rows * <Py_ssize_t>sizeof(void*))
            k.ring = NULL
            if s.wide:
                status = swept(&s, &k, <load_row>box_row[vf64], NULL, <make_line>box_line[vf64])
            else:
                status = swept(&s, &k, <load_row>box_row[vf32], NULL, <make_line>box_line[vf32])
        free(memory)
    if status < 0:
        raise MemoryError("imfilt: no memory for the rows of a strip")


# ---- area: means of blocks that do not overlap ------------------------------------------

cdef enum:
    AREA_NUMBERS = 2048        # of the result at a time: those in 16 bits stay in a first-level cache
    BLOCK_ROWS = 16


ctypedef struct Area:
    Py_ssize_t lanes           # numbers that a step of vectors makes; 0: vectors do not do it
    int32_t* at                # for each pixel of a block where each lane comes from: see shuffle_f32
    int16_t* at_bytes          # and for sums of bytes: see block_sums
    uint16_t* columns
    uint16_t* sums
    Mean mean


cdef void real_blocks(const Sweep* s, const Area* k, const char** rows, Py_ssize_t n, vec* out) noexcept nogil:
    if s.rows == 2 and s.columns == 2:  # constants, so that the compiler unrolls
        block_means(rows, 2, 2, s.channels, k.lanes, k.at, <const vec*>s.scale_vector, <char*>out, n)
    else:
        block_means(rows, s.rows, s.columns, s.channels, k.lanes, k.at, <const vec*>s.scale_vector, <char*>out, n)


cdef void whole_blocks(const Sweep* s, const Area* k, const char** rows, Py_ssize_t n, char* out) noexcept nogil:
    """Means of bytes, or of words two by two."""
    if s.rows == 2 and s.columns == 2 and s.channels == 1 and s.itemsize == 1:
        quarter_bytes(rows[0], rows[1], <uint8_t*>out, n)
    elif s.itemsize == 1:
        byte_blocks(<const uint8_t**>rows, s.rows, s.columns, s.channels, k.lanes, k.at_bytes, k.columns, k.sums, n)
        mean_bytes(k.sums, &k.mean, <uint8_t*>out, n)
    else:
        quarter_words(rows[0], rows[1], <uint16_t*>out, n)


cdef void area_line(Sweep* s, void* work, const char** rows, Py_ssize_t y, Py_ssize_t i, Py_ssize_t count,
                    bint stream, vec* out, Py_ssize_t out_step, Py_ssize_t nbytes) noexcept nogil:
    real_blocks(s, <Area*>work, rows, s.numbers, out)


cdef void area_bytes_line(Sweep* s, void* work, const char** rows, Py_ssize_t y, Py_ssize_t i, Py_ssize_t count,
                          bint stream, char* out, Py_ssize_t out_step, Py_ssize_t nbytes) noexcept nogil:
    whole_blocks(s, <Area*>work, rows, s.numbers, out)


# Blocks that lie inside the image, of the numbers that are computed with, or whole: rows of the image, as they are.

cdef inline bint are_inside(const Sweep* s) noexcept nogil:
    return (s.top == 0 and s.left == 0 and s.y1 * s.rows <= s.height and s.out_width * s.columns <= s.width
            and s.rows <= BLOCK_ROWS and s.channels <= AREA_NUMBERS and not s.streamed and not s.clipped)


cdef void blocks_inside(const Sweep* s, const Area* k, bint whole) noexcept nogil:
    cdef const char *rows[BLOCK_ROWS]
    cdef Py_ssize_t y, t, x, count, n = s.out_width * s.channels
    cdef char* out
    for y in range(s.y0, s.y1):
        x = 0
        while x < n:
            count = min(AREA_NUMBERS // s.channels * s.channels, n - x)
            for t in range(s.rows):
                rows[t] = s.src + (y * s.rows + t) * s.row_step + x * s.columns * s.itemsize
            out = s.dst + y * s.dst_step + x * s.dst_itemsize
            if whole:
                whole_blocks(s, k, rows, count, out)
            elif s.wide:
                real_blocks(s, k, rows, count, <vf64*>out)
            else:
                real_blocks(s, k, rows, count, <vf32*>out)
            x += count


cdef inline void find_lanes(Area* k, Sweep* s, Py_ssize_t most, Py_ssize_t pieces, bint whole) noexcept nogil:
    """Where the numbers of whole pixels come from: two vectors of `most` lanes, `pieces` of which are a number."""
    cdef Py_ssize_t t, lane, number, from_
    k.lanes = min(2 * most // (pieces * s.columns * s.channels), most // (pieces * s.channels)) * s.channels
    for t in range(s.columns):
        for lane in range(most):
            number = lane // pieces
            from_ = (number // s.channels * s.columns + t) * s.channels + number % s.channels
            from_ = from_ * pieces + lane % pieces if number < k.lanes else 0
            if whole:
                k.at_bytes[t * most + lane] = <int16_t>from_
            else:
                k.at[t * most + lane] = <int32_t>from_


def area(cnp.ndarray src not None, cnp.ndarray dst not None, frame, Py_ssize_t y0, Py_ssize_t y1, /):
    """Rows y0 to y1 of the sums of the rectangles that the frame is, one beside the other."""
    cdef Sweep s
    cdef Area k
    cdef int status = -1
    cdef bint whole, quarters, plain, inside
    cdef Py_ssize_t numbers
    cdef char* memory
    cdef char* left
    opened(&s, src, dst, frame, y0, y1)
    same_channels(&s)
    if s.stride_y != s.rows or s.stride_x != s.columns or max(s.up_y, s.up_x, s.block) > 1:
        raise ValueError("core: blocks lie one beside the other")
    whole = takes_bytes(&s, src, dst) and is_mean(&s)
    # Means of four words are exact in single precision.
    quarters = (s.rows == 2 and s.columns == 2 and s.channels == 1 and s.scale == 0.25 and s.itemsize == 2 and s.packed
                and s.dst_itemsize == 2 and kind_of(src) == b"u" and kind_of(dst) == b"u")
    plain = s.packed and kind_of(src) == b"f" and s.itemsize == s.size and s.write == NULL
    inside = are_inside(&s) and (whole or quarters or plain)
    if whole and not inside:
        as_bytes(&s)
    s.in_place = whole or (s.packed and kind_of(src) == b"f" and s.itemsize == s.size)
    arrange(&s, 1, s.pixel, s.columns * s.size, 1, s.channels)
    with nogil:
        numbers = 2 * (max(s.chunk, AREA_NUMBERS) + VECTOR_BYTES)  # of 16 bits; a line may be longer, see `sweep`
        memory = scratch(lined(s.columns * VECTOR_BYTES) + row_bytes(numbers * s.columns) + row_bytes(numbers))
        left = memory
        if memory != NULL:
            k.at = <int32_t*>take(&left, s.columns * VECTOR_BYTES)
            k.at_bytes = <int16_t*>k.at
            k.columns = <uint16_t*>take(&left, row_bytes(numbers * s.columns))
            k.sums = <uint16_t*>take(&left, row_bytes(numbers))
            k.lanes = status = 0
            if whole:
                k.mean.scale = <float>s.scale
                reciprocal(s.rows * s.columns, &k.mean)
                find_lanes(&k, &s, VECTOR_BYTES // 2, 1, True)
            elif SHUFFLES:
                find_lanes(&k, &s, VECTOR_BYTES // 4, 2 if s.wide else 1, False)
            if inside:
                blocks_inside(&s, &k, whole or quarters)
            elif whole:
                status = swept(&s, &k, a_row, NULL, area_bytes_line)
            elif s.wide:
                status = swept(&s, &k, a_row, NULL, <make_line>area_line[vf64])
            else:
                status = swept(&s, &k, a_row, NULL, <make_line>area_line[vf32])
        free(memory)
    if status < 0:
        raise MemoryError("imfilt: no memory for the rows of a strip")


# ---- gradient: the root mean square of two crossed separable kernels ------------------

ctypedef struct Gradient:
    Py_ssize_t radius
    char* smooth_weights
    char* difference_weights
    char* smoothed
    char* differed
    char* spare
    const char** along


cdef void gradient_line(Sweep* s, void* work, const char** rows, Py_ssize_t y, Py_ssize_t i, Py_ssize_t count,
                        bint stream, vec* out, Py_ssize_t out_step, Py_ssize_t nbytes) noexcept nogil:
    cdef Gradient* k = <Gradient*>work
    cdef const vec* smooth = <const vec*>k.smooth_weights
    cdef const vec* difference = <const vec*>k.difference_weights
    cdef const vec* scale = <const vec*>s.scale_vector
    cdef const vec* half = <const vec*>s.half_vector
    cdef Py_ssize_t t
    cdef bint unsafe
    if k.radius == 1:  # a constant, so that the compiler unrolls
        unsafe = gradient_row(rows + i, 1, s.pixel, smooth, difference, half, scale,
                              k.smoothed, k.differed, s.ahead, <char*>out, nbytes)
    else:
        unsafe = gradient_row(rows + i, k.radius, s.pixel, smooth, difference, half, scale,
                              k.smoothed, k.differed, s.ahead, <char*>out, nbytes)
    if unsafe:
        for t in range(s.columns):
            k.along[t] = k.differed + t * s.pixel
        sum_rows(k.along, 0, 1, s.columns, smooth, 1, <const vec*>NULL, k.spare, 0, NULL, padded(nbytes))
        for t in range(s.columns):
            k.along[t] = k.smoothed + t * s.pixel
        # In place: an output block reads its own bytes and bytes to the right only.
        sum_rows(k.along, 0, 1, s.columns, difference, -1, <const vec*>NULL, k.smoothed, 0, NULL, padded(nbytes))
        norm_row(k.smoothed, k.spare, half, scale, False, <char*>out, nbytes)


cdef bint gradient_straight(const Straight* k, const picture** rows, vec* out, bint stream) noexcept nogil:
    cdef vec none = (<const vec*>k.half)[0] - (<const vec*>k.half)[0]
    if k.tall == 3:  # constants, so that the compiler unrolls
        return straight_row(k, rows, BOTH, 3, 3, 1, 1, <char*>out, stream, none)
    return straight_row(k, rows, BOTH, 5, 5, 1, 1, <char*>out, stream, none)


cdef inline int gradient_straightly(Straight* b, Sweep* s, const double* smooth, const double* difference) noexcept nogil:
    """Rows y0 ... y1, up to one where a square leaves the safe range, which becomes y0."""
    cdef straight_line line
    b.tall = b.wide = s.rows
    plan_moves(b)
    if s.wide:
        to_lanes(smooth, s.rows, <vf64*>b.column_weights)
        to_lanes(difference, s.rows, <vf64*>b.row_weights)
        outside_sum(s, s.rows, 1, <const vf64*>b.column_weights, <vf64*>b.outside)
        outside_sum(s, s.rows, -1, <const vf64*>b.row_weights, <vf64*>b.outside + 1)
        line = <straight_line>gradient_straight[double, vf64]
    else:
        to_lanes(smooth, s.rows, <vf32*>b.column_weights)
        to_lanes(difference, s.rows, <vf32*>b.row_weights)
        outside_sum(s, s.rows, 1, <const vf32*>b.column_weights, <vf32*>b.outside)
        outside_sum(s, s.rows, -1, <const vf32*>b.row_weights, <vf32*>b.outside + 1)
        if s.itemsize == 1:
            line = <straight_line>gradient_straight[uint8_t, vf32]
        elif s.itemsize == 2:
            line = <straight_line>gradient_straight[uint16_t, vf32]
        else:
            line = <straight_line>gradient_straight[float, vf32]
    return went_straight(b, s, line)


def gradient(cnp.ndarray src not None, cnp.ndarray dst not None, frame,
             cnp.ndarray smooth not None, cnp.ndarray difference not None,
             Py_ssize_t y0, Py_ssize_t y1, /):
    """Rows y0 to y1 of the root mean square of (smooth x difference, difference x smooth).

    smooth is even, difference is odd, both of the same odd length.
    """
    cdef Sweep s
    cdef Gradient k
    cdef Straight b
    cdef int status = -1
    cdef char* memory
    cdef char* left
    opened(&s, src, dst, frame, y0, y1)
    same_channels(&s)
    cdef const double* even = taps(smooth, s.rows)
    cdef const double* odd = taps(difference, s.columns)
    if s.rows != s.columns or parity(even, s.rows) <= 0 or parity(odd, s.rows) >= 0:
        raise ValueError("core: gradient needs an even and an odd kernel of one length")
    if s.stride_x != 1 or s.stride_y != 1 or s.up_x != 1 or s.up_y != 1:
        raise ValueError("core: gradient has no steps")
    if SHUFFLES > 1 and s.rows <= 5 and s.left == s.rows // 2 and may_go_straight(&b, &s, src):
        with nogil:
            status = gradient_straightly(&b, &s, even, odd)
        if status < 0:
            raise MemoryError("imfilt: no memory for the rows of a strip")
        if s.y0 == s.y1:
            return
    with nogil:
        k.radius = s.rows // 2
        memory = scratch(2 * lined(s.rows * VECTOR_BYTES) + 3 * lined(s.line_step)
                         + lined(s.columns * <Py_ssize_t>sizeof(void*)))
        left = memory
        if memory != NULL:
            k.smooth_weights = take(&left, s.rows * VECTOR_BYTES)
            k.difference_weights = take(&left, s.rows * VECTOR_BYTES)
            k.smoothed = take(&left, s.line_step)
            k.differed = take(&left, s.line_step)
            k.spare = take(&left, s.line_step)
            k.along = <const char**>take(&left, s.columns * <Py_ssize_t>sizeof(void*))
            if s.wide:
                to_lanes(even, s.rows, <vf64*>k.smooth_weights)
                to_lanes(odd, s.rows, <vf64*>k.difference_weights)
                status = swept(&s, &k, a_row, NULL, <make_line>gradient_line[vf64])
            else:
                to_lanes(even, s.rows, <vf32*>k.smooth_weights)
                to_lanes(odd, s.rows, <vf32*>k.difference_weights)
                status = swept(&s, &k, a_row, NULL, <make_line>gradient_line[vf32])
        free(memory)
    if status < 0:
        raise MemoryError("imfilt: no memory for the rows of a strip")


# ---- direct: taps anywhere, the same for every channel or not -------------------------

ctypedef struct Direct:
    Py_ssize_t count                   # taps in all
    Py_ssize_t sets
    const Py_ssize_t* first            # the first tap of each set
    const Py_ssize_t* offsets          # row, column and part of each tap; the part -1 is a row of ones
    const double* given
    Py_ssize_t kinds                   # weights of a tap: 1, or one for each channel
    Py_ssize_t channels                # of a line
    Py_ssize_t positions, period       # see periodic_rows
    Py_ssize_t* begins
    char* weights                      # for each set, the vectors of each position
    char* ones
    char* lines                        # a line of each kernel, or of each phase
    Py_ssize_t line_step
    const char** at
    Py_ssize_t* columns                # where in a row of the ring the pixels under each tap begin
    bint fused                         # multiplied and added in one rounding
    bint mirrored                      # pairs of taps have one weight: see is_mirrored
    Dense dense                        # the same taps, for several lines at a time


cdef inline Py_ssize_t common(Py_ssize_t a, Py_ssize_t b) noexcept nogil:
    """The greatest common divisor."""
    while b:
        a, b = b, a % b
    return a


cdef int direct_arguments(Direct* k, Sweep* s, cnp.ndarray offsets, cnp.ndarray weights,
                                 cnp.ndarray first, cnp.ndarray picks, Py_ssize_t channels) except -1:
    """What the taps are, with everything checked, and the layout of the ring that they need."""
    cdef Py_ssize_t t, lanes = VECTOR_BYTES // s.size
    k.sets = cnp.PyArray_SIZE(first) - 1
    k.first = indices(first, k.sets + 1)
    k.count = k.first[k.sets]
    k.offsets = indices(offsets, 3 * k.count)
    k.kinds = cnp.PyArray_SIZE(weights) // k.count
    k.given = taps(weights, k.count * k.kinds)
    k.channels = channels
    k.mirrored = False
    for t in range(k.sets):
        if not (0 <= k.first[t] < k.first[t + 1]):
            raise ValueError("core: each set needs a tap")
    s.parts = max(1, cnp.PyArray_SIZE(picks) // channels)
    if cnp.PyArray_SIZE(picks):
        s.picks = indices(picks, s.parts * channels)
        for t in range(s.parts * channels):
            if not 0 <= s.picks[t] < s.channels:
                raise ValueError("core: a channel is picked that is not there")
    elif channels != s.channels:
        raise ValueError("core: the result must have the channels of the image")
    for t in range(k.count):
        if not (0 <= k.offsets[3 * t] < s.rows and 0 <= k.offsets[3 * t + 1] < s.columns
                and -1 <= k.offsets[3 * t + 2] < s.parts):
            raise ValueError("core: a tap lies outside the frame")
    if k.kinds != 1 and k.kinds != channels:
        raise ValueError("core: a tap has one weight, or one for each channel")
    if k.kinds == 1:
        k.positions, k.period = 1, VECTOR_BYTES
    elif channels >= lanes:  # the last vector of a pixel overlaps the one before
        k.positions, k.period = (channels + lanes - 1) // lanes, channels * s.size
    else:
        k.positions = channels // common(channels, lanes)
        k.period = k.positions * VECTOR_BYTES
    return 0


cdef enum:
    PAIRED_TAPS = 10           # fewer are multiplied one by one


cdef inline bint is_mirrored(const Direct* k, const Sweep* s) noexcept nogil:
    """Whether tap t lies opposite to the t-th from the end, with the same weight.

    Then both pixels are added, and multiplied once.
    """
    cdef Py_ssize_t t, i, last = 3 * (k.count - 1)
    if (k.sets > 1 or k.kinds > 1 or s.parts > 1 or s.together > 1 or k.count < PAIRED_TAPS
            or parity(k.given, k.count) <= 0):
        return False
    for t in range(k.count):
        if k.offsets[3 * t + 2] < 0:
            return False
        for i in range(2):
            if k.offsets[3 * t + i] + k.offsets[last - 3 * t + i] != k.offsets[i] + k.offsets[last + i]:
                return False
    return True


cdef inline Py_ssize_t direct_grain(Direct* k, Sweep* s) noexcept nogil:
    """Numbers after which phases and weights come again."""
    cdef Py_ssize_t grain = 1 if k.kinds == 1 else k.period // s.size
    if s.up_x > 1:
        grain = s.up_x * (k.channels // common(k.channels, grain) * grain)
    return grain


cdef inline Py_ssize_t dense_unit(const Direct* k, const Sweep* s) noexcept nogil:
    """Bytes of a place in that table."""
    return s.size if k.kinds == 1 else k.positions * VECTOR_BYTES


cdef inline Py_ssize_t dense_bytes(const Direct* k, const Sweep* s) noexcept nogil:
    """A table of all places in the frame, where several lines are made at a time."""
    return (s.rows + DENSE_ROWS) * s.columns * (dense_unit(k, s) + 1) if s.together > 1 else 0


cdef inline Py_ssize_t direct_bytes(Direct* k, Sweep* s, Py_ssize_t lines) noexcept nogil:
    k.line_step = s.line_step
    return (lined(k.count * k.positions * VECTOR_BYTES) + lined(lines * k.line_step) + lined(s.line_step)
            + 2 * lined(k.count * <Py_ssize_t>sizeof(void*)) + lined(k.positions * <Py_ssize_t>sizeof(Py_ssize_t))
            + lined(k.positions * VECTOR_BYTES) + lined(dense_bytes(k, s)))


cdef void direct_fill(Direct* k, Sweep* s, char** left, Py_ssize_t lines, real unused) noexcept nogil:
    """The scratch memory of direct_bytes, and what stays in it."""
    cdef Py_ssize_t n, p, t, i, lane, lanes = VECTOR_BYTES // s.size, at = 0, places, begin
    cdef real* weights
    cdef real* dense
    cdef real* bias
    cdef unsigned char* wanted
    k.weights = take(left, k.count * k.positions * VECTOR_BYTES)
    k.lines = take(left, lines * k.line_step)
    k.ones = take(left, s.line_step)
    k.at = <const char**>take(left, k.count * <Py_ssize_t>sizeof(void*))
    k.columns = <Py_ssize_t*>take(left, k.count * <Py_ssize_t>sizeof(Py_ssize_t))
    for t in range(k.count):
        k.columns[t] = column_at(s, k.offsets[3 * t + 2], k.offsets[3 * t + 1])
    k.begins = <Py_ssize_t*>take(left, k.positions * <Py_ssize_t>sizeof(Py_ssize_t))
    bias = <real*>take(left, k.positions * VECTOR_BYTES)
    dense = <real*>take(left, dense_bytes(k, s))
    for p in range(k.positions):
        k.begins[p] = p * VECTOR_BYTES
        if k.kinds > 1 and k.channels >= lanes:
            k.begins[p] = min(p * VECTOR_BYTES, k.period - VECTOR_BYTES)
    weights = <real*>k.weights
    for n in range(k.sets):
        for p in range(k.positions):
            begin = 0 if k.kinds == 1 else k.begins[p] // s.size % k.channels
            for t in range(k.first[n], k.first[n + 1]):
                i = begin
                for lane in range(lanes):
                    weights[at] = <real>k.given[t * k.kinds + i]
                    at += 1
                    i = i + 1 if i + 1 < k.kinds else 0  # a division would take as long as a vector of pixels
    for i in range(s.line_step // s.size):
        (<real*>k.ones)[i] = 1
    if s.together == 1:
        return
    places = (s.rows + DENSE_ROWS) * s.columns
    wanted = <unsigned char*>dense + places * dense_unit(k, s)
    k.dense.tall, k.dense.wide, k.dense.step, k.dense.apart = s.rows, s.columns, s.cell, k.period
    k.dense.weights, k.dense.lines, k.dense.scale, k.dense.bias = <const char*>dense, wanted, s.scaled, bias
    for i in range(k.positions * lanes):
        bias[i] = -0.0  # to add it changes nothing
    for t in range(k.count):
        i = k.offsets[3 * t] * s.columns + k.offsets[3 * t + 1]
        if k.kinds == 1:
            dense[i] = <real>k.given[t]
        for p in range(k.positions if k.kinds > 1 else 0):
            weights = <real*>k.weights + (p * k.count + t) * lanes
            if k.offsets[3 * t + 2] < 0:
                memcpy(bias + p * lanes, weights, VECTOR_BYTES)
            else:
                memcpy(dense + (p * places + i) * lanes, weights, VECTOR_BYTES)
        for n in range(DENSE_ROWS if k.offsets[3 * t + 2] >= 0 else 0):
            wanted[i + n * s.columns] |= 1 << n


cdef void direct_sum(const char** at, Py_ssize_t count, const vec* weights, bint mirrored, const vec* scale,
                     bint stream, char* out, const char* ahead, Py_ssize_t nbytes) noexcept nogil:
    if mirrored:
        fir_lines(at, 0, 1, count, weights, 1, scale, stream, out, 0, ahead, nbytes)
    else:
        fir_rows(at, 0, 1, count, weights, 0, scale, stream, out, 0, ahead, nbytes)


cdef inline void tap_sums(const picture** at, Py_ssize_t x, Py_ssize_t count, const vec* weights, bint mirrored,
                          vec scale, bint stream, char* out, Py_ssize_t width) noexcept nogil:
    """plain_sum of numbers of any type, or even_sum, `width` vectors from number x on."""
    cdef Py_ssize_t t, i, lanes = VECTOR_BYTES // (4 if vec is vf32 else 8), radius = count // 2
    cdef vec[4] s
    if mirrored:
        for i in range(width):
            s[i] = widened(at[radius] + x + i * lanes, scale) * weights[radius]
        for t in range(radius):
            for i in range(width):
                s[i] = s[i] + (widened(at[t] + x + i * lanes, scale)
                               + widened(at[2 * radius - t] + x + i * lanes, scale)) * weights[t]
    else:
        for i in range(width):
            s[i] = widened(at[0] + x + i * lanes, scale) * weights[0]
        for t in range(1, count):
            for i in range(width):
                s[i] = s[i] + widened(at[t] + x + i * lanes, scale) * weights[t]
    for i in range(width):
        put(<vec*>out + i, s[i] * scale, stream)


cdef inline void end_vectors(const Straight* b, const Direct* k, const picture** rows, Py_ssize_t t, vec outside,
                             vec* first, vec* final) noexcept nogil:
    """What tap t reads for the first and for the last vector of a line."""
    cdef Py_ssize_t lanes = VECTOR_BYTES // (4 if vec is vf32 else 8), words = 1 if vec is vf32 else 2
    cdef Py_ssize_t last = b.numbers - lanes, at
    cdef const picture* row
    if k.offsets[3 * t + 2] < 0:
        first[0] = final[0] = widened(<const picture*>k.ones, outside)
        return
    row = rows[k.offsets[3 * t]]
    at = k.offsets[3 * t + 1] * b.channels - b.before
    first[0] = widened(row + max(at, 0), outside)
    final[0] = widened(row + last + min(at, 0), outside)
    if at < 0:
        first[0] = shuffled(shuffled(widened(row + (last if b.wrapped else 0), outside), outside, b.left), first[0],
                            b.ramp + (lanes + at) * words)
    elif at > 0:
        final[0] = shuffled(final[0], shuffled(widened(row + (0 if b.wrapped else last), outside), outside, b.right),
                            b.ramp + at * words)


cdef bint direct_straight(const Straight* b, const picture** rows, vec* out, bint stream) noexcept nogil:
    """A line from rows of the image: what needs no pixel outside, then the first and the last vector."""
    cdef Direct* k = <Direct*>b.work
    cdef Py_ssize_t lanes = VECTOR_BYTES // (4 if vec is vf32 else 8), size = 4 if vec is vf32 else 8
    cdef Py_ssize_t t, last = b.numbers - lanes, end = last - b.after, count = k.count, radius = count // 2
    cdef Py_ssize_t x = (VECTOR_BYTES - <Py_ssize_t>(<size_t>out % VECTOR_BYTES)) // size  # aligned from here on
    cdef const vec* weights = <const vec*>k.weights
    cdef const picture** taps = <const picture**>k.at
    cdef vec outside = (<const vec*>b.outside)[0], scale = (<const vec*>b.scale)[0]
    cdef vec first_sum = outside, last_sum = outside, value = outside, other = outside
    cdef vec opposite = outside, another = outside
    cdef bint mirrored = k.mirrored and sizeof(picture) >= 4  # whole numbers have not so many taps: see is_plain
    if x < b.before:
        x, stream = b.before, False
    for t in range(count):
        taps[t] = <const picture*>k.ones
        if k.offsets[3 * t + 2] >= 0:
            taps[t] = rows[k.offsets[3 * t]] + k.offsets[3 * t + 1] * b.channels - b.before
    if mirrored:
        end_vectors(b, k, rows, radius, outside, &value, &other)
        first_sum, last_sum = value * weights[radius], other * weights[radius]
    for t in range(radius if mirrored else count):
        end_vectors(b, k, rows, t, outside, &value, &other)
        if mirrored:
            end_vectors(b, k, rows, 2 * radius - t, outside, &opposite, &another)
            value, other = value + opposite, other + another
        first_sum = value * weights[t] if t == 0 and not mirrored else first_sum + value * weights[t]
        last_sum = other * weights[t] if t == 0 and not mirrored else last_sum + other * weights[t]
    while x + 3 * lanes <= end:
        tap_sums(taps, x, count, weights, mirrored, scale, stream, <char*>out + x * size, 4)
        x += 4 * lanes
    while x < end:
        tap_sums(taps, x, count, weights, mirrored, scale, stream, <char*>out + x * size, 1)
        x += lanes
    tap_sums(taps, end, count, weights, mirrored, scale, False, <char*>out + end * size, 1)
    out[0] = first_sum * scale
    (<vec*>(<char*>out + last * size))[0] = last_sum * scale
    return False


cdef bint dense_straight(const Straight* b, const picture** rows, vec* out, bint stream) noexcept nogil:
    return straight_row(b, rows, DENSE, 3, 3, 1, 1, <char*>out, stream, (<const vec*>b.scale)[0])


cdef inline int dense_straightly(Straight* b, const Direct* k, Sweep* s) noexcept nogil:
    cdef straight_line line
    cdef Py_ssize_t t
    b.tall = b.wide = 3
    plan_moves(b)
    if s.wide:
        to_lanes(k.given, 9, <vf64*>b.column_weights)
        for t in range(3):
            spread(&s.cval, 1, <vf64*>b.outside + t)
        line = <straight_line>dense_straight[double, vf64]
    else:
        to_lanes(k.given, 9, <vf32*>b.column_weights)
        for t in range(3):
            spread(&s.cval, 1, <vf32*>b.outside + t)
        if s.itemsize == 1:
            line = <straight_line>dense_straight[uint8_t, vf32]
        elif s.itemsize == 2:
            line = <straight_line>dense_straight[uint16_t, vf32]
        else:
            line = <straight_line>dense_straight[float, vf32]
    return went_straight(b, s, line)


# One pixel, of which each channel of the result picks some: by shuffles, without pictures of the channels.

ctypedef struct Picked:
    const Sweep* s
    const Direct* k

cdef enum:
    MOST_PICKED = 16           # positions times taps


cdef inline void picked_row(const Straight* b, const Sweep* s, const Direct* k, Py_ssize_t positions, Py_ssize_t count,
                            const float* source, float* out, bint stream) noexcept nogil:
    cdef Py_ssize_t each = VECTOR_BYTES // 4, at = 0, x = 0, p, t, i, needed = s.bases[positions - 1] + 2 * each
    cdef Py_ssize_t advance = s.source_numbers, made = b.made, numbers = b.numbers
    cdef float[128] tail
    # Copies, which no store to the result can change: they stay in registers.
    cdef vf32[16] weights
    cdef int32_t[256] lanes
    cdef bint[16] one
    cdef vf32[4] sums
    cdef Py_ssize_t[4] bases
    cdef vf32 scale = (<const vf32*>s.scale_vector)[0], value, first, second
    for p in range(positions):
        bases[p] = s.bases[p]
    for t in range(count):
        one[t] = k.offsets[3 * t + 2] < 0
        for p in range(positions):
            weights[p * count + t] = (<const vf32*>k.weights)[p * count + t]
            for i in range(each):
                lanes[(p * count + t) * 16 + i] = s.lanes[(max(k.offsets[3 * t + 2], 0) * positions + p) * each + i]
    while x < made:
        if at + needed > numbers:  # the rest, where vectors may be read past its end
            memset(tail, 0, sizeof(tail))
            memcpy(tail, source, (numbers - at) * sizeof(float))
            source, needed = tail, -(<Py_ssize_t>1 << 60)
        for p in range(positions):
            first, second = (<const vf32*>(source + bases[p]))[0], (<const vf32*>(source + bases[p]))[1]
            for t in range(count):
                value = weights[p * count + t]
                if not one[t]:
                    value = shuffle_f32(first, second, lanes + (p * count + t) * 16) * value
                sums[p] = value if t == 0 else sums[p] + value
        # After all loads: one that overlaps an earlier store in the low twelve bits of its address waits for it.
        if expected(x + positions * each <= made and not stream):
            for p in range(positions):
                (<vf32*>(out + x + p * each))[0] = sums[p] * scale
        else:
            for p in range(positions):
                if x + (p + 1) * each <= made:
                    put(<vf32*>(out + x + p * each), sums[p] * scale, stream)
                elif x + p * each < made:
                    store_part_f32(<char*>(out + x + p * each), sums[p] * scale, (made - x - p * each) * 4)
        x += positions * each
        source += advance
        at += advance


cdef inline void join_rows(Straight* b, Sweep* s) noexcept nogil:
    """Rows that follow one another in memory become one: each has a beginning and an end."""
    cdef Py_ssize_t rows = s.y1 - s.y0
    if s.row_step == b.numbers * s.itemsize and s.dst_step == b.made * s.size and rows > 0:
        s.src += s.y0 * s.row_step
        s.dst += s.y0 * s.dst_step
        b.numbers *= rows
        b.made *= rows
        s.y0, s.y1, s.height = 0, 1, 1


cdef bint picked_straight(const Straight* b, const char** rows, float* out, bint stream) noexcept nogil:
    cdef const Sweep* s = (<Picked*>b.work).s
    cdef const Direct* k = (<Picked*>b.work).k
    cdef const float* source = <const float*>rows[0]
    stream = stream and <size_t>out % STREAM_ALIGNMENT == 0
    if s.positions == 3 and k.count == 3:  # constants, so that the compiler unrolls
        picked_row(b, s, k, 3, 3, source, out, stream)
    elif s.positions == 3 and k.count == 4:
        picked_row(b, s, k, 3, 4, source, out, stream)
    elif s.positions == 1 and k.count == 3:
        picked_row(b, s, k, 1, 3, source, out, stream)
    elif s.positions == 1 and k.count == 4:
        picked_row(b, s, k, 1, 4, source, out, stream)
    else:
        picked_row(b, s, k, s.positions, k.count, source, out, stream)
    return False


cdef inline void narrow_ones(const Direct* k, const Sweep* s) noexcept nogil:
    """The row of ones, with numbers as the image has them."""
    cdef Py_ssize_t i, n = k.line_step // s.size
    if s.itemsize == 1:
        memset(k.ones, 1, n)
    elif s.itemsize == 2:
        for i in range(n):
            (<uint16_t*>k.ones)[i] = 1


cdef inline bint is_dense(const Direct* k, const Sweep* s) noexcept nogil:
    """Whether the taps are all places of a square of three, one row after the other."""
    cdef Py_ssize_t t
    if k.count != 9 or k.kinds > 1 or k.sets > 1 or s.picks != NULL or s.rows != 3 or s.columns != 3 or s.left != 1:
        return False
    for t in range(9):
        if k.offsets[3 * t] != t // 3 or k.offsets[3 * t + 1] != t % 3 or k.offsets[3 * t + 2] < 0:
            return False
    return True


cdef inline bint is_plain(const Direct* k, const Sweep* s, bint real_numbers) noexcept nogil:
    """Whether `direct_straight` does it: one set of taps, each with one weight, on the image as it is.

    Whole numbers are widened for each tap, which is worth it for a few.
    """
    return (k.kinds == 1 and k.sets == 1 and s.picks == NULL and s.together == 1
            and s.width * s.channels >= (2 * VECTOR_BYTES) // s.size + s.columns * s.channels
            and (k.count < PAIRED_TAPS or s.width * s.channels * s.size >= 8 * VECTOR_BYTES)
            and (real_numbers or k.count <= WIDENED_TAPS))


cdef inline void direct_set(Direct* k, Sweep* s, const char** rows, Py_ssize_t n, bint stream, const void* scale,
                            char* out, Py_ssize_t nbytes, Py_ssize_t apart, vec* unused) noexcept nogil:
    """A line under the taps of a set, its pixels `apart` as many bytes as they hold.

    rows[] starts at the first source row of the frame.
    """
    cdef Py_ssize_t t, count = k.first[n + 1] - k.first[n]
    cdef const Py_ssize_t* tap
    cdef const vec* weights = <const vec*>k.weights + k.first[n] * k.positions
    for t in range(count):
        tap = k.offsets + 3 * (k.first[n] + t)
        if tap[2] < 0:
            k.at[t] = k.ones
        else:
            k.at[t] = rows[tap[0]] + k.columns[k.first[n] + t]
    if k.kinds == 1 and not s.in_place:
        direct_sum(k.at, count, weights, k.mirrored, <const vec*>scale, stream, out,
                   s.ahead if count >= WORTH_ASKING and s.itemsize == s.size else NULL, nbytes)
    else:
        periodic_rows(k.at, count, weights, k.positions, k.begins, k.period, <const vec*>scale,
                      stream and k.period % STREAM_ALIGNMENT == 0 and k.begins[k.positions - 1] % STREAM_ALIGNMENT == 0,
                      out, apart * k.period, s.ahead if s.in_place else NULL, nbytes)


ctypedef fused woven_type:
    int16_t
    float
    double


cdef inline void weave_pieces(const woven_type* lines, Py_ssize_t step, Py_ssize_t phases, Py_ssize_t channels,
                              woven_type* out, Py_ssize_t sources) noexcept nogil:
    """Pixels sixteen bytes at a time: what is too much is written over by the next pixel."""
    cdef Py_ssize_t x, p, c, piece = 16 // <Py_ssize_t>sizeof(woven_type)
    for x in range(sources):
        for p in range(phases):
            for c in range((channels + piece - 1) // piece):
                memcpy(out + p * channels + c * piece, lines + p * step + c * piece, 16)
        out += phases * channels
        lines += channels


cdef inline void weave_numbers(const woven_type* lines, Py_ssize_t step, Py_ssize_t phases, woven_type* out,
                               Py_ssize_t pixels) noexcept nogil:
    """The same for pixels of one number."""
    cdef Py_ssize_t x, whole = pixels // phases
    if phases == 2:
        for x in range(whole):
            out[2 * x] = lines[x]
            out[2 * x + 1] = lines[step + x]
    elif phases == 3:
        for x in range(whole):
            out[3 * x] = lines[x]
            out[3 * x + 1] = lines[step + x]
            out[3 * x + 2] = lines[2 * step + x]
    elif phases == 4:
        for x in range(whole):
            out[4 * x] = lines[x]
            out[4 * x + 1] = lines[step + x]
            out[4 * x + 2] = lines[2 * step + x]
            out[4 * x + 3] = lines[3 * step + x]
    else:
        whole = 0
    for x in range(whole * phases, pixels):
        out[x] = lines[x % phases * step + x // phases]


cdef void weave(const woven_type* lines, Py_ssize_t step, Py_ssize_t phases, Py_ssize_t channels,
                woven_type* out, Py_ssize_t pixels) noexcept nogil:
    """Pixel x of the result is pixel x // phases of line x % phases."""
    cdef Py_ssize_t x, c, size = sizeof(woven_type), whole
    if channels == 1:
        weave_numbers(lines, step, phases, out, pixels)
        return
    if channels * size == 8:
        weave_numbers(<const double*>lines, step * size // 8, phases, <double*>out, pixels)
        return
    whole = max((pixels - 16 // size) // phases, 0)
    if channels == 3 and phases == 2:  # constants, so that the compiler unrolls
        weave_pieces(lines, step, 2, 3, out, whole)
    elif channels == 4 and phases == 2:
        weave_pieces(lines, step, 2, 4, out, whole)
    elif channels == 3:
        weave_pieces(lines, step, phases, 3, out, whole)
    else:
        weave_pieces(lines, step, phases, channels, out, whole)
    for x in range(whole * phases, pixels):
        for c in range(channels):
            one_by_one()
            out[x * channels + c] = lines[x % phases * step + x // phases * channels + c]


# A function for each tile, called and not inlined: the compiler then has all registers for it.

cdef void wide_tile(const Dense* k, const char** rows, Py_ssize_t x, Py_ssize_t count, char* out,
                    Py_ssize_t out_step, vec unused) noexcept nogil:
    dense_tile(k, rows, x, count, out, out_step, DENSE_VECTORS, False, False, unused)


cdef void wide_pixels(const Dense* k, const char** rows, Py_ssize_t x, Py_ssize_t count, char* out,
                      Py_ssize_t out_step, vec unused) noexcept nogil:
    dense_tile(k, rows, x, count, out, out_step, DENSE_VECTORS, False, True, unused)


cdef void narrow_pixels(const Dense* k, const char** rows, Py_ssize_t x, Py_ssize_t count, char* out,
                        Py_ssize_t out_step, vec unused) noexcept nogil:
    dense_tile(k, rows, x, count, out, out_step, 1, False, True, unused)


cdef void wide_tile_fused(const Dense* k, const char** rows, Py_ssize_t x, Py_ssize_t count, char* out,
                          Py_ssize_t out_step, vec unused) noexcept nogil:
    dense_tile(k, rows, x, count, out, out_step, DENSE_VECTORS, True, False, unused)


cdef void narrow_tile(const Dense* k, const char** rows, Py_ssize_t x, Py_ssize_t count, char* out,
                      Py_ssize_t out_step, bint fused, vec unused) noexcept nogil:
    if fused:
        dense_tile(k, rows, x, count, out, out_step, 1, True, False, unused)
    else:
        dense_tile(k, rows, x, count, out, out_step, 1, False, False, unused)


cdef inline void dense_lines(const Sweep* s, Direct* k, const char** rows, Py_ssize_t count, char* out, Py_ssize_t out_step,
                             Py_ssize_t nbytes, vec unused) noexcept nogil:
    """Up to DENSE_ROWS lines; exactly `nbytes` of each, one vector at least, or whole pixels."""
    cdef Py_ssize_t x = 0, p, unit = (s.rows + DENSE_ROWS) * s.columns * VECTOR_BYTES
    cdef const char* weights = k.dense.weights
    cdef const vec* bias = <const vec*>k.dense.bias
    while k.kinds > 1 and x < nbytes:
        for p in range(k.positions):
            k.dense.weights, k.dense.bias = weights + p * unit, bias + p
            if x + DENSE_VECTORS * k.period <= nbytes:
                wide_pixels(&k.dense, rows, x + k.begins[p], count, out, out_step, unused)
            else:
                narrow_pixels(&k.dense, rows, x + k.begins[p], count, out, out_step, unused)
        x += DENSE_VECTORS * k.period if x + DENSE_VECTORS * k.period <= nbytes else k.period
    k.dense.weights, k.dense.bias = weights, bias
    while x + DENSE_VECTORS * VECTOR_BYTES <= nbytes:
        if k.fused:
            wide_tile_fused(&k.dense, rows, x, count, out, out_step, unused)
        else:
            wide_tile(&k.dense, rows, x, count, out, out_step, unused)
        x += DENSE_VECTORS * VECTOR_BYTES
    if x + VECTOR_BYTES < nbytes and x > 0:  # a wide tile over the one before takes as long as one or two narrow ones
        k.dense.stream, x = False, nbytes
        if k.fused:
            wide_tile_fused(&k.dense, rows, x - DENSE_VECTORS * VECTOR_BYTES, count, out, out_step, unused)
        else:
            wide_tile(&k.dense, rows, x - DENSE_VECTORS * VECTOR_BYTES, count, out, out_step, unused)
    while x + VECTOR_BYTES <= nbytes:
        narrow_tile(&k.dense, rows, x, count, out, out_step, k.fused, unused)
        x += VECTOR_BYTES
    if x < nbytes:
        k.dense.stream = False
        narrow_tile(&k.dense, rows, nbytes - VECTOR_BYTES, count, out, out_step, k.fused, unused)


cdef void direct_line(Sweep* s, void* work, const char** rows, Py_ssize_t y, Py_ssize_t i, Py_ssize_t count,
                      bint stream, vec* out, Py_ssize_t out_step, Py_ssize_t nbytes) noexcept nogil:
    cdef Direct* k = <Direct*>work
    cdef Py_ssize_t n, p, sources, pixels
    cdef vec* target = out
    if s.together > 1:
        k.dense.stream = stream and (k.kinds == 1 or k.period % 64 == 0)
        dense_lines(s, k, rows + i, count, <char*>out, out_step, nbytes, (<const vec*>s.scale_vector)[0])
        return
    rows += (y + i) * s.stride_y // s.up_y - y * s.stride_y // s.up_y
    if s.up_x == 1:
        direct_set(k, s, rows, (y + i) % s.up_y, stream, s.scaled, <char*>out, nbytes, 1, out)
        return
    pixels = s.numbers // k.channels
    for p in range(min(s.up_x, pixels)):
        n = (y + i) % s.up_y * s.up_x + p
        sources = (pixels - p + s.up_x - 1) // s.up_x * s.cell
        if k.kinds > 1 and s.cell >= VECTOR_BYTES and not stream:  # pixels of whole vectors go to their places
            direct_set(k, s, rows, n, False, s.scaled, <char*>out + p * s.cell, sources, s.up_x, out)
        else:
            direct_set(k, s, rows, n, False, s.scaled, k.lines + p * k.line_step, padded(sources), 1, out)
    if k.kinds > 1 and s.cell >= VECTOR_BYTES and not stream:
        return
    if stream:
        out = <vec*>(k.lines + s.up_x * k.line_step)
    if vec is vf32:
        weave(<const float*>k.lines, k.line_step // 4, s.up_x, k.channels, <float*>out, pixels)
    else:
        weave(<const double*>k.lines, k.line_step // 8, s.up_x, k.channels, <double*>out, pixels)
    if stream:
        stream_bytes(<const char*>out, <char*>target, nbytes)


# Bytes to bytes, where weights are whole numbers over a power of two, and all sums fit into 16 bits: exact, as those of
# floats are.

cdef enum:
    WEIGHT_NUMBERS = 32        # a weight and the next, see byte_taps
    LARGEST_SHIFT = 7

ctypedef struct ByteTaps:
    const Py_ssize_t* offsets
    Py_ssize_t count           # without those of a row of ones
    const uint8_t** at
    Py_ssize_t* places         # of the taps among the offsets
    int16_t* weights
    int16_t bias
    int shift
    uint8_t* line              # before streaming


cdef void byte_taps_line(Sweep* s, void* work, const char** rows, Py_ssize_t y, Py_ssize_t i, Py_ssize_t count,
                         bint stream, char* out, Py_ssize_t out_step, Py_ssize_t nbytes) noexcept nogil:
    cdef ByteTaps* k = <ByteTaps*>work
    cdef Py_ssize_t t
    cdef const Py_ssize_t* tap
    for t in range(k.count):
        tap = k.offsets + 3 * k.places[t]
        k.at[t] = <const uint8_t*>(rows[tap[0]] + tap[1] * s.channels)
    byte_taps(k.at, k.weights, k.count, k.bias, k.shift, k.line if stream else <uint8_t*>out, nbytes)
    if stream:
        stream_bytes(<char*>k.line, out, nbytes)


cdef inline int byte_shift(Direct* k, Sweep* s, cnp.ndarray src, cnp.ndarray dst):
    """How many bits the weights, times the scale, have behind the point; -1 where bytes do not do it."""
    cdef Py_ssize_t t
    cdef int shift = 0
    cdef double weight, sum = 0
    if (s.wide or s.clipped or k.sets > 1 or k.kinds > 1 or s.picks != NULL or max(s.stride_y, s.stride_x, s.block) > 1
            or not s.packed or s.itemsize != 1 or kind_of(src) not in (b"u", b"b") or s.dst_itemsize != 1
            or kind_of(dst) != b"u" or (s.mode == CONSTANT and not (0 <= s.cval <= 255 and s.cval == <int>s.cval))):
        return -1
    for t in range(k.count):
        weight = k.given[t] * s.scale
        sum += fabs(weight) * (255 if k.offsets[3 * t + 2] >= 0 else 1)
        while shift <= LARGEST_SHIFT and weight * (1 << shift) != rint(weight * (1 << shift)):
            shift += 1
    return shift if shift <= LARGEST_SHIFT and (sum + 1) * (1 << shift) <= 32767 else -1


cdef int direct_bytes_sweep(Direct* k, Sweep* s, int shift):
    cdef ByteTaps b
    cdef int status = -1
    cdef Py_ssize_t t, i
    cdef int16_t weight
    cdef char* memory
    cdef char* left
    as_bytes(s)
    with nogil:
        memory = scratch(2 * lined(k.count * <Py_ssize_t>sizeof(void*)) + k.count * WEIGHT_NUMBERS * 2 + lined(s.line_step))
        left = memory
        if memory != NULL:
            b.at = <const uint8_t**>take(&left, k.count * <Py_ssize_t>sizeof(void*))
            b.places = <Py_ssize_t*>take(&left, k.count * <Py_ssize_t>sizeof(Py_ssize_t))
            b.weights = <int16_t*>take(&left, k.count * WEIGHT_NUMBERS * 2)
            b.line = <uint8_t*>take(&left, s.line_step)
            b.offsets, b.count, b.bias, b.shift = k.offsets, 0, 0, shift
            for t in range(k.count):
                weight = <int16_t>(k.given[t] * s.scale * (1 << shift))
                if k.offsets[3 * t + 2] < 0:
                    b.bias += weight
                    continue
                b.places[b.count] = t
                for i in range(WEIGHT_NUMBERS):
                    b.weights[b.count * WEIGHT_NUMBERS + i] = weight
                b.count += 1
            status = swept(s, &b, a_row, NULL, byte_taps_line)
        free(memory)
    return status


def direct(cnp.ndarray src not None, cnp.ndarray dst not None, frame, cnp.ndarray offsets not None,
           cnp.ndarray weights not None, cnp.ndarray first not None, cnp.ndarray picks not None, bint fused,
           Py_ssize_t y0, Py_ssize_t y1, /):
    """Rows y0 to y1 of sums of weights[t] * src at offsets[t], which are a row, a column and a part.

    A part is a picture of the source with its channels picked anew, or -1: ones. A tap has one weight, or one for
    each channel of the result. Taps first[n] ... first[n + 1] are those of phase n of up_y x up_x. A frame of
    several lines at a time may have its products fused with their sums.
    """
    cdef Sweep s
    cdef Direct k
    cdef int status = -1
    cdef char* memory
    cdef char* left
    cdef Py_ssize_t grain, t, lanes
    cdef int shift
    cdef bint straightly, dense, picked
    cdef Picked by
    cdef straight_line line
    cdef Straight b
    opened(&s, src, dst, frame, y0, y1)
    steps_once(&s)
    direct_arguments(&k, &s, offsets, weights, first, picks, s.out_channels)
    if k.sets != s.up_y * s.up_x:
        raise ValueError("core: each phase needs a set of taps")
    shift = byte_shift(&k, &s, src, dst)
    if shift >= 0:
        if direct_bytes_sweep(&k, &s, shift) < 0:
            raise MemoryError("imfilt: no memory for the rows of a strip")
        return
    grain = direct_grain(&k, &s)
    s.in_place = s.picks == NULL and s.stride_x == 1 and s.up_x == 1 and may_stay(&s, src)
    arrange(&s, s.parts, s.out_channels * s.size, s.size, s.up_x, grain)
    if s.block > 1:
        if (s.block != DENSE_ROWS or k.sets != 1 or s.picks != NULL or s.stride_y != 1 or s.stride_x != 1
                or (k.kinds > 1 and (fused or k.channels < VECTOR_BYTES // s.size))):
            raise ValueError("core: direct makes several lines at a time for one kernel without strides only")
        for t in range(k.count):
            if k.offsets[3 * t + 2] < 0 and k.kinds == 1:
                raise ValueError("core: several lines at a time have no bias")
        s.together = DENSE_ROWS
    k.fused, k.mirrored = fused, is_mirrored(&k, &s)
    dense = SHUFFLES > 1 and is_dense(&k, &s)
    straightly = SHUFFLES and (dense or is_plain(&k, &s, kind_of(src) == b"f")) and may_go_straight(&b, &s, src)
    if SHUFFLES > 1 and dense and straightly:
        with nogil:
            status = dense_straightly(&b, &k, &s)
        if status < 0:
            raise MemoryError("imfilt: no memory for the rows of a strip")
        return
    b.work = &k
    picked = (SHUFFLES and s.rows == 1 and s.columns == 1 and s.picks != NULL and k.sets == 1 and s.itemsize == s.size
              and not s.wide and s.together == 1 and may_go_straight(&b, &s, src) and picked_lanes(&s) > 0
              and k.count * s.positions <= MOST_PICKED)
    if picked and s.write == NULL and not s.clipped:
        join_rows(&b, &s)
    for t in range(k.count if straightly else 0):
        if k.offsets[3 * t + 2] < 0:
            s.line_step = row_bytes(b.numbers * s.size)  # of ones
    with nogil:
        lanes = picked_lanes(&s) * <Py_ssize_t>sizeof(int32_t) if picked else 0
        memory = scratch(direct_bytes(&k, &s, s.up_x + 1) + lined(lanes))  # phases, and a line of the result
        left = memory
        if memory != NULL:
            if SHUFFLES and picked:
                direct_fill(&k, &s, &left, s.up_x + 1, <float>0)
                s.lanes = <int32_t*>take(&left, lanes)
                plan_picking(&s)
                by.s, by.k, b.work = &s, &k, &by
                status = went_straight(&b, &s, <straight_line>picked_straight)
            elif SHUFFLES and straightly and s.wide:
                direct_fill(&k, &s, &left, s.up_x + 1, <double>0)
                spread(&s.cval, 1, <vf64*>b.outside)
                status = went_straight(&b, &s, <straight_line>direct_straight[double, vf64])
            elif SHUFFLES and straightly:
                direct_fill(&k, &s, &left, s.up_x + 1, <float>0)
                narrow_ones(&k, &s)
                spread(&s.cval, 1, <vf32*>b.outside)
                line = <straight_line>direct_straight[float, vf32]
                if s.itemsize == 1:
                    line = <straight_line>direct_straight[uint8_t, vf32]
                elif s.itemsize == 2:
                    line = <straight_line>direct_straight[uint16_t, vf32]
                status = went_straight(&b, &s, line)
            elif s.wide:
                direct_fill(&k, &s, &left, s.up_x + 1, <double>0)
                status = swept(&s, &k, read_parts, NULL, <make_line>direct_line[vf64])
            else:
                direct_fill(&k, &s, &left, s.up_x + 1, <float>0)
                status = swept(&s, &k, read_parts, NULL, <make_line>direct_line[vf32])
        free(memory)
    if status < 0:
        raise MemoryError("imfilt: no memory for the rows of a strip")


cdef void norm_line(Sweep* s, void* work, const char** rows, Py_ssize_t y, Py_ssize_t i, Py_ssize_t count,
                    bint stream, vec* out, Py_ssize_t out_step, Py_ssize_t nbytes) noexcept nogil:
    cdef Direct* k = <Direct*>work
    cdef Py_ssize_t n
    for n in range(2):
        direct_set(k, s, rows + i, n, False, NULL, k.lines + n * k.line_step, padded(nbytes), 1, out)
    norm_row(k.lines, k.lines + k.line_step, <const vec*>s.half_vector, <const vec*>s.scale_vector, stream,
             <char*>out, nbytes)


cdef bint norm_straight(const Straight* k, const picture** rows, vec* out, bint stream) noexcept nogil:
    cdef vec half = (<const vec*>k.half)[0]
    return straight_row(k, rows, BOTH, 2, 2, 0, 0, <char*>out, stream, half - half)


cdef inline bint are_diagonals(Straight* b, const Direct* k, const Sweep* s) noexcept nogil:
    """Whether both sets are a diagonal of a square of two, the first from the upper left; then with their weights."""
    cdef Py_ssize_t t, row, column
    cdef double[4] weights
    if k.count != 4 or k.first[1] != 2 or s.rows != 2 or s.columns != 2 or s.left != 0:
        return False
    for t in range(4):
        row, column = k.offsets[3 * t], k.offsets[3 * t + 1]
        if k.offsets[3 * t + 2] < 0 or row != t % 2 or column != (row if t < 2 else 1 - row):
            return False
    b.tall = b.wide = 2
    plan_moves(b)
    if s.wide:
        to_lanes(k.given, 2, <vf64*>b.column_weights)
        to_lanes(k.given + 2, 2, <vf64*>b.row_weights)
        for t in range(2):
            spread(&s.cval, 1, <vf64*>b.outside + t)
    else:
        to_lanes(k.given, 2, <vf32*>b.column_weights)
        to_lanes(k.given + 2, 2, <vf32*>b.row_weights)
        for t in range(2):
            spread(&s.cval, 1, <vf32*>b.outside + t)
    return True


def norm(cnp.ndarray src not None, cnp.ndarray dst not None, frame, cnp.ndarray offsets not None,
         cnp.ndarray weights not None, cnp.ndarray first not None, cnp.ndarray picks not None,
         Py_ssize_t y0, Py_ssize_t y1, /):
    """Rows y0 to y1 of the root mean square of two sums, the two sets of taps of `direct`."""
    cdef Sweep s
    cdef Direct k
    cdef Straight b
    cdef straight_line line = NULL
    cdef int status = -1
    cdef char* memory
    cdef char* left
    opened(&s, src, dst, frame, y0, y1)
    direct_arguments(&k, &s, offsets, weights, first, picks, s.out_channels)
    if k.sets != 2 or k.kinds != 1 or s.picks != NULL or max(s.stride_y, s.stride_x, s.up_y, s.up_x, s.block) > 1:
        raise ValueError("core: norm takes two sets of taps, and no steps")
    if SHUFFLES > 1 and may_go_straight(&b, &s, src) and are_diagonals(&b, &k, &s):
        if s.wide:
            line = <straight_line>norm_straight[double, vf64]
        elif s.itemsize == 1:
            line = <straight_line>norm_straight[uint8_t, vf32]
        elif s.itemsize == 2:
            line = <straight_line>norm_straight[uint16_t, vf32]
        else:
            line = <straight_line>norm_straight[float, vf32]
        with nogil:
            status = went_straight(&b, &s, line)
        if status < 0:
            raise MemoryError("imfilt: no memory for the rows of a strip")
        if s.y0 == s.y1:
            return
    with nogil:
        memory = scratch(direct_bytes(&k, &s, 2))
        left = memory
        if memory != NULL:
            if s.wide:
                direct_fill(&k, &s, &left, 2, <double>0)
                status = swept(&s, &k, a_row, NULL, <make_line>norm_line[vf64])
            else:
                direct_fill(&k, &s, &left, 2, <float>0)
                status = swept(&s, &k, a_row, NULL, <make_line>norm_line[vf32])
        free(memory)
    if status < 0:
        raise MemoryError("imfilt: no memory for the rows of a strip")


cdef void strongest_line(Sweep* s, void* work, const char** rows, Py_ssize_t y, Py_ssize_t i, Py_ssize_t count,
                         bint stream, vec* out, Py_ssize_t out_step, Py_ssize_t nbytes) noexcept nogil:
    cdef Direct* k = <Direct*>work
    cdef Py_ssize_t n
    cdef char* other = k.lines + k.line_step
    for n in range(k.sets):
        direct_set(k, s, rows + i, n, False, NULL, other if n else k.lines, padded(nbytes), 1, out)
        if n and vec is vf32:
            largest(<float*>k.lines, <const float*>other, nbytes // 4)
        elif n:
            largest(<double*>k.lines, <const double*>other, nbytes // 8)
    scaled_sum(k.lines, NULL, <const vec*>s.scaled, stream, <char*>out, nbytes, out[0])


def strongest(cnp.ndarray src not None, cnp.ndarray dst not None, frame, cnp.ndarray offsets not None,
              cnp.ndarray weights not None, cnp.ndarray first not None, cnp.ndarray picks not None,
              Py_ssize_t y0, Py_ssize_t y1, /):
    """Rows y0 to y1 of the largest of some sums, the sets of taps of `direct`; NaN where one is."""
    cdef Sweep s
    cdef Direct k
    cdef int status = -1
    cdef char* memory
    cdef char* left
    opened(&s, src, dst, frame, y0, y1)
    direct_arguments(&k, &s, offsets, weights, first, picks, s.out_channels)
    if k.kinds != 1 or s.picks != NULL or max(s.stride_y, s.stride_x, s.up_y, s.up_x, s.block) > 1:
        raise ValueError("core: strongest takes sets of taps, and no steps")
    with nogil:
        memory = scratch(direct_bytes(&k, &s, 2))
        left = memory
        if memory != NULL:
            if s.wide:
                direct_fill(&k, &s, &left, 2, <double>0)
                status = swept(&s, &k, a_row, NULL, <make_line>strongest_line[vf64])
            else:
                direct_fill(&k, &s, &left, 2, <float>0)
                status = swept(&s, &k, a_row, NULL, <make_line>strongest_line[vf32])
        free(memory)
    if status < 0:
        raise MemoryError("imfilt: no memory for the rows of a strip")


# ---- mix: every channel of the result from every channel of its group -----------------

ctypedef struct Mix:
    Py_ssize_t groups, taken, made     # channels of a group, of the image and of the result
    Py_ssize_t sets
    const Py_ssize_t* first            # the first run of each set
    const Py_ssize_t* offsets          # row and column where each run begins
    Py_ssize_t length                  # numbers of a run
    Py_ssize_t step                    # bytes from what one pixel needs to what the next does
    Py_ssize_t vectors                 # of a group; the last overlaps the one before
    const char* weights                # for each set, group and pair of vectors: run, number, vector
    const char* bias                   # for each group: its vectors
    const char** at
    Direct* direct                     # what makes the rows that are mixed, if anything does
    char* middle                       # and a line of them


cdef inline Py_ssize_t vector_at(Mix* k, Py_ssize_t v, Py_ssize_t size) noexcept nogil:
    """Where vector v of a group lies in a pixel of the result, from the first byte of the group."""
    return min(v * VECTOR_BYTES, max(k.made * size - VECTOR_BYTES, 0))


# Functions that are called, as those of the dense tiles are.

cdef void large_pair(const Tile* t, Py_ssize_t x, char* out, vec unused) noexcept nogil:
    mix_tile(t, x, out, TILE_PIXELS, 2, False, unused)


cdef void small_pair(const Tile* t, Py_ssize_t x, char* out, vec unused) noexcept nogil:
    mix_tile(t, x, out, SMALL_TILE, 2, False, unused)


cdef void one_pair(const Tile* t, Py_ssize_t x, char* out, vec unused) noexcept nogil:
    mix_tile(t, x, out, 1, 2, False, unused)


cdef void large_single(const Tile* t, Py_ssize_t x, char* out, vec unused) noexcept nogil:
    mix_tile(t, x, out, TILE_PIXELS, 1, True, unused)


cdef void small_single(const Tile* t, Py_ssize_t x, char* out, vec unused) noexcept nogil:
    mix_tile(t, x, out, SMALL_TILE, 1, False, unused)


cdef void one_single(const Tile* t, Py_ssize_t x, char* out, vec unused) noexcept nogil:
    mix_tile(t, x, out, 1, 1, False, unused)


cdef inline void mix_pixels(const Tile* t, Py_ssize_t width, char* out, Py_ssize_t pixels, vec unused) noexcept nogil:
    """Any number of pixels. The last small tile overlaps the one before."""
    cdef Py_ssize_t x = 0
    while width == 2 and x + TILE_PIXELS <= pixels:
        large_pair(t, x, out, unused)
        x += TILE_PIXELS
    while width == 1 and x + 2 * TILE_PIXELS <= pixels:
        large_single(t, x, out, unused)
        x += 2 * TILE_PIXELS
    while x < pixels and pixels >= SMALL_TILE:
        x = min(x, pixels - SMALL_TILE)
        if width == 2:
            small_pair(t, x, out, unused)
        else:
            small_single(t, x, out, unused)
        x += SMALL_TILE
    while x < pixels:
        if width == 2:
            one_pair(t, x, out, unused)
        else:
            one_single(t, x, out, unused)
        x += 1


cdef inline void mix_set(Sweep* s, Mix* k, Py_ssize_t n, const char** runs, Py_ssize_t lines, bint stream,
                         char* out, Py_ssize_t line_step, Py_ssize_t out_step, Py_ssize_t pixels,
                         vec* first) noexcept nogil:
    """The pixels of one phase of some lines; the weights of a pair of vectors stay in cache for all of them.

    The runs of a line follow those of the line before.
    """
    cdef Py_ssize_t g, v, r, i, width, at
    cdef Tile t
    cdef vec unused = (<const vec*>s.scale_vector)[0]
    cdef const vec* weights = <const vec*>k.weights + k.first[n] * k.length * k.groups * k.vectors
    cdef const vec* bias = <const vec*>k.bias
    t.count, t.length = k.first[n + 1] - k.first[n], k.length
    t.step, t.out_step = k.step, out_step
    t.scale = s.scaled
    t.partial = k.made * s.size if k.made * s.size < VECTOR_BYTES else 0
    for g in range(k.groups):
        v = 0
        while v < k.vectors:
            width = min(k.vectors - v, 2)
            at = g * k.made * s.size + vector_at(k, v, s.size)
            t.second = vector_at(k, v + 1, s.size) - vector_at(k, v, s.size)
            t.stream = stream and (at | t.second * (width - 1)) % STREAM_ALIGNMENT == 0
            t.weights, t.bias = weights, bias
            for i in range(lines):
                t.runs = runs + i * t.count
                t.ahead = s.ahead if g == 0 and v == 0 and i == 0 and n % s.up_x == 0 else NULL
                mix_pixels(&t, width, out + i * line_step + at, pixels, unused)
            weights += width * t.count * t.length
            bias += width
            v += width
        for r in range(lines * t.count):
            one_by_one()
            runs[r] += k.taken * s.size


cdef inline bint streams(Mix* k, Sweep* s, Py_ssize_t out_step, const char* out) noexcept nogil:
    """Whether what is written at a time are whole lines of cache: vectors of one, or pixels side by side."""
    cdef Py_ssize_t pixel = s.out_channels * s.size
    return ((pixel | out_step | <Py_ssize_t>out) % VECTOR_BYTES == 0
            or (pixel % STREAM_ALIGNMENT == 0 and k.groups == 1 and k.vectors <= 2 and s.up_x == 1))


cdef void mix_line(Sweep* s, void* work, const char** rows, Py_ssize_t y, Py_ssize_t i, Py_ssize_t count,
                   bint stream, vec* out, Py_ssize_t out_step, Py_ssize_t nbytes) noexcept nogil:
    cdef Mix* k = <Mix*>work
    cdef Py_ssize_t n, p, r, t, runs, pixel = s.out_channels * s.size, pixels = s.numbers // s.out_channels
    cdef const char** at
    rows += (y + i) * s.stride_y // s.up_y - y * s.stride_y // s.up_y
    stream = stream and streams(k, s, out_step, <char*>out)
    for p in range(min(s.up_x, pixels)):
        n = (y + i) % s.up_y * s.up_x + p
        runs = k.first[n + 1] - k.first[n]
        for t in range(count):
            at = k.at + t * runs
            for r in range(runs):
                at[r] = (rows[t * s.stride_y + k.offsets[2 * (k.first[n] + r)]]
                         + k.offsets[2 * (k.first[n] + r) + 1] * s.pixel)
        mix_set(s, k, n, k.at, count, stream, <char*>out + p * pixel, out_step, s.up_x * pixel,
                (pixels - p + s.up_x - 1) // s.up_x, out)


cdef void depthwise_mix_line(Sweep* s, void* work, const char** rows, Py_ssize_t y, Py_ssize_t i, Py_ssize_t count,
                             bint stream, vec* out, Py_ssize_t out_step, Py_ssize_t nbytes) noexcept nogil:
    cdef Mix* k = <Mix*>work
    cdef Py_ssize_t pixel = s.out_channels * s.size, pixels = s.numbers // s.out_channels
    direct_set(k.direct, s, rows + i * s.stride_y, 0, False, NULL, k.middle, padded(pixels * s.cell), 1, out)
    k.at[0] = k.middle
    mix_set(s, k, 0, k.at, 1, stream and streams(k, s, 0, <char*>out), <char*>out, 0, pixel, pixels, out)


cdef int mix_weights(Mix* k, Sweep* s, cnp.ndarray weights, cnp.ndarray bias, Py_ssize_t runs,
                            Py_ssize_t length, Py_ssize_t groups, Py_ssize_t channels) except -1:
    """`channels` go in, those of the result come out, from so many runs."""
    cdef Py_ssize_t lanes = VECTOR_BYTES // s.size
    cdef int kind = cnp.NPY_DOUBLE if s.wide else cnp.NPY_FLOAT
    if groups < 1 or length < 1 or channels % groups or s.out_channels % groups:
        raise ValueError("core: groups of equal size are needed")
    k.groups, k.taken, k.made, k.length = groups, channels // groups, s.out_channels // groups, length
    k.vectors = (k.made + lanes - 1) // lanes
    if (cnp.PyArray_TYPE(weights) != kind or not cnp.PyArray_ISCARRAY_RO(weights)
            or cnp.PyArray_SIZE(weights) != runs * length * groups * k.vectors * lanes
            or cnp.PyArray_TYPE(bias) != kind or not cnp.PyArray_ISCARRAY_RO(bias)
            or cnp.PyArray_SIZE(bias) != groups * k.vectors * lanes):
        raise ValueError("core: packed weights and bias of the arithmetic's type are needed")
    k.weights = cnp.PyArray_BYTES(weights)
    k.bias = cnp.PyArray_BYTES(bias)
    return 0


def mix(cnp.ndarray src not None, cnp.ndarray dst not None, frame, cnp.ndarray offsets not None,
        cnp.ndarray first not None, cnp.ndarray weights not None, cnp.ndarray bias not None,
        Py_ssize_t length, Py_ssize_t groups, Py_ssize_t y0, Py_ssize_t y1, /):
    """Rows y0 to y1 of a convolution that mixes channels.

    Under a pixel lie runs of `length` numbers, which begin at offsets[r], a row and a column. Runs first[n] ...
    first[n + 1] are those of phase n of up_y x up_x. Weights are packed as imfilt/_engine/packed.py does it.
    """
    cdef Sweep s
    cdef Mix k
    cdef int status = -1
    cdef Py_ssize_t t
    cdef char* memory
    opened(&s, src, dst, frame, y0, y1)
    steps_once(&s)
    k.sets = cnp.PyArray_SIZE(first) - 1
    k.first = indices(first, k.sets + 1)
    if k.sets != s.up_y * s.up_x or k.first[0] != 0:
        raise ValueError("core: each phase needs a set of runs")
    for t in range(k.sets):
        if k.first[t] > k.first[t + 1]:
            raise ValueError("core: sets of runs must follow one another")
    mix_weights(&k, &s, weights, bias, k.first[k.sets], length, groups, s.channels)
    k.offsets = indices(offsets, 2 * k.first[k.sets])
    for t in range(k.first[k.sets]):
        if not (0 <= k.offsets[2 * t] < s.rows and 0 <= k.offsets[2 * t + 1]
                and k.offsets[2 * t + 1] * s.channels + (groups - 1) * k.taken + length <= s.columns * s.channels):
            raise ValueError("core: a run lies outside the frame")
    arrange(&s, 1, s.pixel, s.stride_x * s.pixel, s.out_channels * s.up_x, s.out_channels * s.up_x)
    # Whole pixels are read where they lie: strides are steps, not phases.
    s.ring_step = row_bytes(s.span * s.pixel)
    if s.block > 1 and s.up_y > 1:
        raise ValueError("core: mix makes several lines at a time where there are no phases only")
    s.together = s.block
    k.step = s.stride_x * s.pixel
    k.direct = NULL
    # Tiles read number by number, none past the last: an image of numbers need not be copied.
    s.in_place = s.packed and kind_of(src) == b"f" and s.itemsize == s.size
    s.margin = SMALL_TILE * s.up_x
    with nogil:
        memory = scratch(lined(max(k.first[k.sets], 1) * s.block * <Py_ssize_t>sizeof(void*)))
        if memory != NULL:
            k.at = <const char**>memory
            if s.wide:
                status = swept(&s, &k, a_row, NULL, <make_line>mix_line[vf64])
            else:
                status = swept(&s, &k, a_row, NULL, <make_line>mix_line[vf32])
        free(memory)
    if status < 0:
        raise MemoryError("imfilt: no memory for the rows of a strip")


def depthwise_mix(cnp.ndarray src not None, cnp.ndarray dst not None, frame, cnp.ndarray offsets not None,
                  cnp.ndarray weights not None, cnp.ndarray first not None, cnp.ndarray picks not None,
                  cnp.ndarray mixing not None, cnp.ndarray bias not None, Py_ssize_t channels,
                  Py_ssize_t y0, Py_ssize_t y1, /):
    """Rows y0 to y1 of `direct` with so many channels, and those mixed pixel by pixel.

    What lies between is a line at a time. mixing and bias are packed as those of `mix`.
    """
    cdef Sweep s
    cdef Direct d
    cdef Mix k
    cdef int status = -1
    cdef char* memory
    cdef char* left
    cdef Py_ssize_t[2] one = [0, 1]
    opened(&s, src, dst, frame, y0, y1)
    if channels < 1:
        raise ValueError("core: channels must be positive")
    direct_arguments(&d, &s, offsets, weights, first, picks, channels)
    if d.sets != 1 or max(s.up_y, s.up_x, s.block) > 1:
        raise ValueError("core: depthwise_mix has one set of taps")
    mix_weights(&k, &s, mixing, bias, 1, channels, 1, channels)
    k.first = one
    arrange(&s, s.parts, channels * s.size, channels * s.size, s.out_channels, s.out_channels)
    k.step = s.cell
    k.direct = &d
    with nogil:
        memory = scratch(direct_bytes(&d, &s, 1) + lined(sizeof(void*)))
        left = memory
        if memory != NULL:
            if s.wide:
                direct_fill(&d, &s, &left, 1, <double>0)
            else:
                direct_fill(&d, &s, &left, 1, <float>0)
            k.middle = d.lines
            k.at = <const char**>take(&left, sizeof(void*))
            if s.wide:
                status = swept(&s, &k, read_parts, NULL, <make_line>depthwise_mix_line[vf64])
            else:
                status = swept(&s, &k, read_parts, NULL, <make_line>depthwise_mix_line[vf32])
        free(memory)
    if status < 0:
        raise MemoryError("imfilt: no memory for the rows of a strip")


# ---- resample: separable, a set of taps for every phase -------------------------

ctypedef struct Resample:
    char* column_weights       # up_y sets of `rows` taps
    char* row_weights          # up_x sets of `columns` taps
    Py_ssize_t* down           # for each phase the first tap that is not 0, and how many there are to the last
    Py_ssize_t* beside
    char* source               # a row as it was read
    char* parts                # its pixels, every stride_x-th of them side by side
    Py_ssize_t part_step
    char* lines                # of each phase
    Py_ssize_t line_step
    const char** along
    # How vectors of the result are put together from the lines of the phases; it repeats after `positions` of them,
    # which take `advance` numbers of each line. 0: vectors do not do it.
    Py_ssize_t positions, advance
    Py_ssize_t* bases          # for each position where in the lines its numbers begin
    int32_t* lanes             # for each position and phase where each lane comes from: see shuffle_f32
    bint twofold               # two phases, whose taps lie side by side: see twofold_row
    int32_t[32] pairs          # and where the lanes of two vectors come from
    Py_ssize_t whole           # bytes of whole pixels in a vector


cdef inline void plan_pairs(Resample* k, const Sweep* s) noexcept nogil:
    cdef Py_ssize_t lanes = VECTOR_BYTES // s.size, words = s.size // 4, n, w, taps = s.columns - 1
    cdef Py_ssize_t pixel = 0, phase = 0, c = 0
    k.twofold = (SHUFFLES and s.up_x == 2 and s.stride_x == 1 and (taps == 2 or taps == 4) and s.channels <= lanes
                 and k.beside[0] == 0 and k.beside[1] == taps and k.beside[2] == 1 and k.beside[3] == taps)
    k.whole = lanes // s.channels * s.channels
    for n in range(2 * lanes if k.twofold else 0):
        for w in range(words):
            k.pairs[n * words + w] = <int32_t>((min(pixel + c, lanes - 1) + phase * lanes) * words + w)
        c += 1
        if c == s.channels:
            c, phase = 0, 1 - phase
            pixel += 0 if phase else s.channels
    k.whole *= s.size


cdef inline Py_ssize_t woven(Sweep* s) noexcept nogil:
    """The period of the pattern, in vectors; 0 where the numbers of a vector lie too far apart."""
    cdef Py_ssize_t lanes = VECTOR_BYTES // 4, period = s.up_x * s.channels
    if not SHUFFLES or s.wide or s.up_x == 1 or s.up_x > 8 or lanes // s.up_x + 2 * s.channels > lanes:
        return 0
    return period // common(period, lanes)


cdef inline void plan_weaving(Resample* k, Sweep* s) noexcept nogil:
    cdef Py_ssize_t lanes = VECTOR_BYTES // 4, p, phase, lane, n, pixel, number
    k.advance = k.positions * lanes // s.up_x
    for p in range(k.positions):
        k.bases[p] = p * lanes // (s.up_x * s.channels) * s.channels
        for phase in range(s.up_x):
            for lane in range(lanes):
                n = p * lanes + lane
                pixel = n // s.channels
                number = pixel // s.up_x * s.channels + n % s.channels - k.bases[p]
                # The lanes of a phase come from its line, the others are left as they are.
                k.lanes[(p * s.up_x + phase) * lanes + lane] = lane
                if pixel % s.up_x == phase:
                    k.lanes[(p * s.up_x + phase) * lanes + lane] = lanes + number


cdef inline void weave_vectors(const Resample* k, Py_ssize_t phases, char* out, Py_ssize_t nbytes) noexcept nogil:
    """The lines of all phases as one, in whole vectors."""
    cdef Py_ssize_t p = 0, phase, n
    cdef const char* lines = k.lines
    cdef const char* at
    cdef const int32_t* lanes
    cdef vf32 v
    for n in range((nbytes + VECTOR_BYTES - 1) // VECTOR_BYTES):
        at = lines + k.bases[p] * 4
        lanes = k.lanes + p * phases * (VECTOR_BYTES // 4)
        v = (<const vf32*>at)[0]
        for phase in range(phases):
            v = shuffle_f32(v, (<const vf32*>(at + phase * k.line_step))[0], lanes + phase * (VECTOR_BYTES // 4))
        (<vf32*>(out + n * VECTOR_BYTES))[0] = v
        p += 1
        if p == k.positions:
            p = 0
            lines += k.advance * 4


cdef void resample_row(Sweep* s, void* work, Py_ssize_t y, Py_ssize_t pixels, vec* ring_row) noexcept nogil:
    """Reads a source row and makes the columns of the result from it."""
    cdef Resample* k = <Resample*>work
    cdef Py_ssize_t p, t, c, first, count, periods
    cdef const char* parts = k.source
    # The periods of phases that can be made from these pixels: one too many is never read.
    periods = (pixels - s.columns) // s.stride_x + 1
    a_row(s, NULL, y, pixels, k.source)
    if s.stride_x > 1:
        parts = k.parts
        for p in range(min(s.stride_x, pixels)):
            count = (pixels - p + s.stride_x - 1) // s.stride_x
            if vec is vf32:
                pick(<const float*>(k.source + p * s.pixel), s.stride_x * s.channels,
                     <float*>(k.parts + p * k.part_step), s.channels, count, s.channels, NULL)
            else:
                pick(<const double*>(k.source + p * s.pixel), s.stride_x * s.channels,
                     <double*>(k.parts + p * k.part_step), s.channels, count, s.channels, NULL)
    if k.twofold and s.columns == 3:  # constants, so that the compiler unrolls
        twofold_row(parts, s.pixel, 2, <const vec*>k.row_weights, <const vec*>k.row_weights + 4, k.pairs, k.whole,
                    <char*>ring_row, periods * s.pixel)
        return
    if k.twofold:
        twofold_row(parts, s.pixel, 4, <const vec*>k.row_weights, <const vec*>k.row_weights + 6, k.pairs, k.whole,
                    <char*>ring_row, periods * s.pixel)
        return
    for p in range(s.up_x):
        first = p * s.stride_x // s.up_x + k.beside[2 * p]
        for t in range(k.beside[2 * p + 1]):
            c = first + t
            k.along[t] = parts + c % s.stride_x * k.part_step + c // s.stride_x * s.pixel
        fir_lines(k.along, 0, 1, k.beside[2 * p + 1], <const vec*>k.row_weights + p * s.columns + k.beside[2 * p], 0,
                  NULL, False, <char*>ring_row if s.up_x == 1 else k.lines + p * k.line_step, 0, NULL,
                  padded(periods * s.pixel))
    if s.up_x == 1:
        return
    if k.positions and s.up_x == 2:  # constants, so that the compiler unrolls
        weave_vectors(k, 2, <char*>ring_row, periods * 2 * s.pixel)
    elif k.positions and s.up_x == 3:
        weave_vectors(k, 3, <char*>ring_row, periods * 3 * s.pixel)
    elif k.positions:
        weave_vectors(k, s.up_x, <char*>ring_row, periods * s.up_x * s.pixel)
    elif vec is vf32:
        weave(<const float*>k.lines, k.line_step // 4, s.up_x, s.channels, <float*>ring_row, periods * s.up_x)
    else:
        weave(<const double*>k.lines, k.line_step // 8, s.up_x, s.channels, <double*>ring_row, periods * s.up_x)


cdef void resample_line(Sweep* s, void* work, const char** rows, Py_ssize_t y, Py_ssize_t i, Py_ssize_t count,
                        bint stream, vec* out, Py_ssize_t out_step, Py_ssize_t nbytes) noexcept nogil:
    cdef Resample* k = <Resample*>work
    cdef Py_ssize_t phase = (y + i) % s.up_y, first = k.down[2 * phase], n = k.down[2 * phase + 1]
    cdef const vec* weights = <const vec*>k.column_weights + phase * s.rows + first
    rows += (y + i) * s.stride_y // s.up_y - y * s.stride_y // s.up_y + first
    if n == 2:  # a constant, so that the compiler unrolls
        fir_lines(rows, 0, 1, 2, weights, 0, <const vec*>s.scaled, stream, <char*>out, 0, NULL, nbytes)
    else:
        fir_lines(rows, 0, 1, n, weights, 0, <const vec*>s.scaled, stream, <char*>out, 0, NULL, nbytes)


cdef inline void find_taps(const double* weights, Py_ssize_t phases, Py_ssize_t count, Py_ssize_t* places) noexcept nogil:
    """For each phase the first tap that is not 0, and how many there are from it to the last; one at least."""
    cdef Py_ssize_t p, first, last
    for p in range(phases):
        first, last = 0, count
        while last > 1 and weights[p * count + last - 1] == 0:
            last -= 1
        while first < last - 1 and weights[p * count + first] == 0:
            first += 1
        places[2 * p], places[2 * p + 1] = first, last - first


cdef inline bint is_repetition(const Sweep* s, cnp.ndarray src, cnp.ndarray dst, const double* down, const double* along):
    """Whether pixels are repeated as they are. Large integers go through double precision, as ever."""
    cdef Py_ssize_t i
    for i in range(s.up_y):
        if down[i] != 1:
            return False
    for i in range(s.up_x):
        if along[i] != 1:
            return False
    return (s.packed and cnp.PyArray_TYPE(src) == cnp.PyArray_TYPE(dst) and s.scale == 1 and not s.clipped
            and (kind_of(src) == b"f" or (kind_of(src) in (b"u", b"b") and s.itemsize <= 4))
            and s.stride_y == 1 and s.stride_x == 1 and s.top == 0 and s.left == 0
            and s.out_width == s.width * s.up_x and s.y1 <= s.height * s.up_y)


cdef int repeat(const Sweep* s) noexcept nogil:
    """-1 where there is no memory, and nothing was written then."""
    cdef Py_ssize_t y, bytes = s.channels * s.itemsize, made = s.out_width * bytes
    cdef char* memory = NULL
    cdef char* line = NULL
    cdef char* dst
    if s.streamed:
        memory = line = scratch(lined(made))
        if memory == NULL:
            return -1
    for y in range(s.y0, s.y1):
        dst = s.dst + y * s.dst_step
        if not s.streamed:
            line = dst
        if y == s.y0 or y % s.up_y == 0:
            repeat_bytes(s.src + y // s.up_y * s.row_step, line, bytes, s.up_x, s.width)
        elif not s.streamed:
            memcpy(dst, dst - s.dst_step, made)
        if s.streamed:
            stream_bytes(line, dst, made)
    free(memory)
    if s.streamed:
        stream_end()
    return 0


def resample(cnp.ndarray src not None, cnp.ndarray dst not None, frame,
             cnp.ndarray column not None, cnp.ndarray row not None,
             Py_ssize_t y0, Py_ssize_t y1, /):
    """Rows y0 to y1 of src with up_y x up_x pixels for each stride_y x stride_x of its pixels.

    Output row y is the sum over t of column[y % up_y, t] times source row
    y * stride_y // up_y - top + t; columns likewise.
    """
    cdef Sweep s
    cdef Resample k
    cdef int status = -1
    cdef char* memory
    cdef char* left
    cdef Py_ssize_t periods
    opened(&s, src, dst, frame, y0, y1)
    same_channels(&s)
    cdef Py_ssize_t column_count = s.up_y * s.rows, row_count = s.up_x * s.columns
    cdef const double* down = taps(column, column_count)
    cdef const double* along = taps(row, row_count)
    if s.rows == 1 and s.columns == 1 and is_repetition(&s, src, dst, down, along):
        with nogil:
            status = repeat(&s)
        if status < 0:
            raise MemoryError("imfilt: no memory for the rows of a strip")
        return
    with nogil:
        periods = (s.strip + s.up_x - 1) // s.up_x + s.columns // s.stride_x + 2
        # Source pixels of the widest strip, and those that the last period of phases may read beyond them.
        s.span = (periods + 1) * s.stride_x + s.columns
        k.part_step = row_bytes((periods + 2 + s.columns // s.stride_x) * s.pixel)
        k.line_step = row_bytes(periods * s.pixel)
        k.positions = woven(&s)
        s.ring_step = row_bytes(periods * s.up_x * s.pixel)
        memory = scratch(lined(column_count * VECTOR_BYTES) + lined(row_count * VECTOR_BYTES)
                         + lined(row_bytes(s.span * s.pixel)) + lined(s.stride_x * k.part_step)
                         + lined(s.up_x * k.line_step) + lined(s.columns * <Py_ssize_t>sizeof(void*))
                         + lined((k.positions + 2 * (s.up_x + s.up_y)) * <Py_ssize_t>sizeof(Py_ssize_t))
                         + lined(k.positions * s.up_x * VECTOR_BYTES))
        left = memory
        if memory != NULL:
            k.bases = <Py_ssize_t*>take(&left, (k.positions + 2 * (s.up_x + s.up_y)) * <Py_ssize_t>sizeof(Py_ssize_t))
            k.beside = k.bases + k.positions
            k.down = k.beside + 2 * s.up_x
            find_taps(down, s.up_y, s.rows, k.down)
            find_taps(along, s.up_x, s.columns, k.beside)
            k.lanes = <int32_t*>take(&left, k.positions * s.up_x * VECTOR_BYTES)
            plan_pairs(&k, &s)
            if not k.twofold:
                plan_weaving(&k, &s)
            k.column_weights = take(&left, column_count * VECTOR_BYTES)
            k.row_weights = take(&left, row_count * VECTOR_BYTES)
            k.source = take(&left, row_bytes(s.span * s.pixel))
            k.parts = take(&left, s.stride_x * k.part_step)
            k.lines = take(&left, s.up_x * k.line_step)
            k.along = <const char**>take(&left, s.columns * <Py_ssize_t>sizeof(void*))
            if s.wide:
                to_lanes(down, column_count, <vf64*>k.column_weights)
                to_lanes(along, row_count, <vf64*>k.row_weights)
                status = swept(&s, &k, <load_row>resample_row[vf64], NULL, <make_line>resample_line[vf64])
            else:
                to_lanes(down, column_count, <vf32*>k.column_weights)
                to_lanes(along, row_count, <vf32*>k.row_weights)
                status = swept(&s, &k, <load_row>resample_row[vf32], NULL, <make_line>resample_line[vf32])
        free(memory)
    if status < 0:
        raise MemoryError("imfilt: no memory for the rows of a strip")


# ---- blend: resample in whole factors, from bytes to bytes ------------------------------

ctypedef struct Blend:
    int16_t* column_weights    # up_y sets of `rows` taps, up_x sets of `columns` taps
    int16_t* row_weights
    Py_ssize_t* down           # as in Resample
    Py_ssize_t* beside
    uint8_t* source            # a row as it was read
    int16_t* levels            # the same as levels, see blend_taps
    int16_t* lines             # of each phase
    Py_ssize_t line_step       # in numbers
    uint8_t* narrowed          # a line before streaming


cdef void blend_row(Sweep* s, void* work, Py_ssize_t y, Py_ssize_t pixels, char* ring_row) noexcept nogil:
    cdef Blend* k = <Blend*>work
    cdef Py_ssize_t p, t, first, each = pixels - s.columns + 1
    cdef const int16_t* along[4]
    a_row(s, NULL, y, pixels, <char*>k.source)
    lift(k.source, k.levels, pixels * s.channels)
    for p in range(s.up_x):
        first = k.beside[2 * p]
        for t in range(k.beside[2 * p + 1]):
            along[t] = k.levels + (first + t) * s.channels
        blend_rows(along, k.row_weights + p * s.columns + first, k.beside[2 * p + 1],
                   <int16_t*>ring_row if s.up_x == 1 else k.lines + p * k.line_step, each * s.channels)
    if s.up_x > 1:
        weave(k.lines, k.line_step, s.up_x, s.channels, <int16_t*>ring_row, each * s.up_x)


cdef void blend_line(Sweep* s, void* work, const char** rows, Py_ssize_t y, Py_ssize_t i, Py_ssize_t count,
                     bint stream, char* out, Py_ssize_t out_step, Py_ssize_t nbytes) noexcept nogil:
    cdef Blend* k = <Blend*>work
    cdef Py_ssize_t phase = (y + i) % s.up_y, first = k.down[2 * phase]
    rows += (y + i) // s.up_y - y // s.up_y + first
    blend_rows(<const int16_t**>rows, k.column_weights + phase * s.rows + first, k.down[2 * phase + 1],
               k.narrowed if stream else <uint8_t*>out, nbytes)
    if stream:
        stream_bytes(<char*>k.narrowed, out, nbytes)


cdef inline int16_t* quantized(const double* weights, Py_ssize_t count, char** left) noexcept nogil:
    cdef Py_ssize_t t
    cdef int16_t* kept = <int16_t*>take(left, count * 2)
    for t in range(count):
        one_by_one()
        kept[t] = <int16_t>weights[t]
    return kept


def blend(cnp.ndarray src not None, cnp.ndarray dst not None, frame,
          cnp.ndarray column not None, cnp.ndarray row not None, Py_ssize_t y0, Py_ssize_t y1, /):
    """`resample` without strides, from bytes to bytes, in whole numbers.

    Weights are whole numbers, parts of 2**15, below it; up to four of a phase are not 0 or lie between such.
    """
    cdef Sweep s
    cdef Blend k
    cdef int status = -1
    cdef char* memory
    cdef char* left
    cdef Py_ssize_t periods, t
    opened(&s, src, dst, frame, y0, y1)
    same_channels(&s)
    cdef Py_ssize_t column_count = s.up_y * s.rows, row_count = s.up_x * s.columns
    cdef const double* down = taps(column, column_count)
    cdef const double* along = taps(row, row_count)
    if s.itemsize != 1 or kind_of(src) != b"u" or s.dst_itemsize != 1 or kind_of(dst) != b"u" or s.clipped:
        raise TypeError("core: blend takes and makes bytes")
    if max(s.stride_y, s.stride_x, s.block) > 1:
        raise ValueError("core: blend has no strides")
    for t in range(column_count):
        if not -32768 <= down[t] <= 32767:
            raise ValueError("core: weights of 16 bits are needed")
    for t in range(row_count):
        if not -32768 <= along[t] <= 32767:
            raise ValueError("core: weights of 16 bits are needed")
    as_bytes(&s)
    with nogil:
        periods = (s.strip + s.up_x - 1) // s.up_x + 2
        s.span = periods + s.columns
        k.line_step = row_bytes(periods * s.pixel * 2) // 2
        arrange(&s, 1, s.pixel, 2, 1, 1)
        s.ring_step = row_bytes(periods * s.up_x * s.pixel * 2)
        memory = scratch(lined(column_count * 2) + lined(row_count * 2) + 3 * lined(row_bytes(s.span * s.pixel))
                         + lined(s.up_x * k.line_step * 2) + lined(s.line_step)
                         + lined(2 * (s.up_x + s.up_y) * <Py_ssize_t>sizeof(Py_ssize_t)))
        left = memory
        if memory != NULL:
            k.column_weights = quantized(down, column_count, &left)
            k.row_weights = quantized(along, row_count, &left)
            k.beside = <Py_ssize_t*>take(&left, 2 * (s.up_x + s.up_y) * <Py_ssize_t>sizeof(Py_ssize_t))
            k.down = k.beside + 2 * s.up_x
            find_taps(down, s.up_y, s.rows, k.down)
            find_taps(along, s.up_x, s.columns, k.beside)
            k.source = <uint8_t*>take(&left, row_bytes(s.span * s.pixel))
            k.levels = <int16_t*>take(&left, 2 * row_bytes(s.span * s.pixel))
            k.lines = <int16_t*>take(&left, s.up_x * k.line_step * 2)
            k.narrowed = <uint8_t*>take(&left, s.line_step)
            status = -2
            for t in range(s.up_y):
                status = -2 if k.down[2 * t + 1] > 4 else 0
                if status:
                    break
            for t in range(s.up_x if status == 0 else 0):
                status = -2 if k.beside[2 * t + 1] > 4 else 0
                if status:
                    break
            if status == 0:
                status = swept(&s, &k, blend_row, NULL, blend_line)
        free(memory)
    if status == -2:
        raise ValueError("core: blend takes four taps at most")
    if status < 0:
        raise MemoryError("imfilt: no memory for the rows of a strip")


# ---- even: separable for even weights, from bytes to bytes, in whole numbers ------------

cdef enum:
    ONE = 32768                # the sum of the weights
    MIDDLE = 16320             # half of 255 levels, of which 128 parts are kept between columns and rows


ctypedef struct Even:
    Py_ssize_t tall, wide      # radii
    int32_t* column_weights    # two by two, see even_rows
    int32_t* row_weights
    uint8_t* source            # a row as it was read
    char* middle               # a line between columns and rows
    int16_t* line              # a line before it is narrowed
    uint8_t* narrowed          # and before streaming
    const char** along
    const char** down


cdef inline Py_ssize_t bordered_begin(const Sweep* s) noexcept nogil:
    """The first number of a row that lies in the image; -1 where the border is not put on the sums of columns."""
    return s.before * s.channels if s.bare and s.beside and s.before + s.after > 0 else -1


cdef void even_row(Sweep* s, void* work, Py_ssize_t y, Py_ssize_t pixels, char* ring_row) noexcept nogil:
    cdef Even* k = <Even*>work
    cdef Py_ssize_t begin = bordered_begin(s)
    a_row(s, NULL, y, pixels, <char*>k.source)
    if begin >= 0:
        widen_bytes(k.source + begin, <int16_t*>ring_row + begin, (pixels - s.before - s.after) * s.channels)
    else:
        widen_bytes(k.source, <int16_t*>ring_row, pixels * s.channels)


cdef void even_line(Sweep* s, void* work, const char** rows, Py_ssize_t y, Py_ssize_t i, Py_ssize_t count,
                    bint stream, char* out, Py_ssize_t out_step, Py_ssize_t nbytes) noexcept nogil:
    cdef Even* k = <Even*>work
    cdef int16_t* middle = <int16_t*>(k.middle + s.shift)
    cdef Py_ssize_t t, c, at, begin = bordered_begin(s), outer = s.before + s.after
    cdef Py_ssize_t inside = s.numbers + (s.columns - 1 - outer) * s.channels
    if begin < 0:
        even_rows(rows + i, k.column_weights, k.tall, 128 - MIDDLE * 256, 8, middle,
                  nbytes + (s.columns - 1) * s.channels)
    else:
        for t in range(s.rows):
            k.down[t] = rows[i + t] + 2 * begin
        even_rows(k.down, k.column_weights, k.tall, 128 - MIDDLE * 256, 8, middle + begin, inside)
        for t in range(outer):
            at = t * s.channels if t < s.before else t * s.channels + inside
            for c in range(s.channels):
                one_by_one()
                middle[at + c] = middle[s.outside[t] + c]
    for t in range(s.columns):
        k.along[t] = <const char*>(middle + t * s.channels)
    even_rows(k.along, k.row_weights, k.wide, MIDDLE * ONE + (1 << 21), 22, k.line, nbytes)
    narrow_levels(k.line, k.narrowed if stream else <uint8_t*>out, nbytes)
    if stream:
        stream_bytes(<char*>k.narrowed, out, nbytes)


cdef inline int even_weights(const double* weights, Py_ssize_t count) except -1:
    cdef Py_ssize_t t
    cdef double sum = 0
    for t in range(count):
        if not 0 <= weights[t] < ONE or weights[t] != rint(weights[t]):
            raise ValueError("core: weights of 15 bits are needed")
        sum += weights[t]
    if parity(weights, count) <= 0 or sum != ONE:
        raise ValueError("core: even weights that sum to 2**15 are needed")
    return 0


cdef inline int32_t* by_two(const double* weights, Py_ssize_t radius, char** left) noexcept nogil:
    """From the outside in; the one in the middle is the second of the last two."""
    cdef Py_ssize_t t
    cdef int32_t* pairs = <int32_t*>take(left, (radius // 2 + 1) * 4)
    for t in range(radius):
        pairs[t // 2] |= <int32_t>weights[t] << (16 if t % 2 else 0)
    pairs[radius // 2] |= <int32_t>weights[radius] << 16
    return pairs


def even(cnp.ndarray src not None, cnp.ndarray dst not None, frame,
         cnp.ndarray column not None, cnp.ndarray row not None, Py_ssize_t y0, Py_ssize_t y1, /):
    """Rows y0 to y1 of the correlation with column x row, from bytes to bytes, in whole numbers.

    Both are even weights in parts of 2**15, which they sum to. Sums down the columns are rounded to 1/128 of a level.
    """
    cdef Sweep s
    cdef Even k
    cdef int status = -1
    cdef char* memory
    cdef char* left
    opened(&s, src, dst, frame, y0, y1)
    same_channels(&s)
    cdef const double* down = taps(column, s.rows)
    cdef const double* along = taps(row, s.columns)
    even_weights(down, s.rows)
    even_weights(along, s.columns)
    if s.itemsize != 1 or kind_of(src) != b"u" or s.dst_itemsize != 1 or kind_of(dst) != b"u" or s.clipped:
        raise TypeError("core: even takes and makes bytes")
    if max(s.stride_y, s.stride_x, s.up_y, s.up_x, s.block) > 1:
        raise ValueError("core: even has no steps")
    as_bytes(&s)
    if not s.streamed and s.strip * s.channels - s.chunk < 64:  # as in separable
        s.bare = 2 * s.channels
    arrange(&s, 1, s.pixel, 2, 1, s.strip * s.channels if s.bare else 1)
    s.ring_step = row_bytes(s.span * s.pixel * 2)
    with nogil:
        k.tall, k.wide = s.rows // 2, s.columns // 2
        memory = scratch(lined(4 * s.rows) + lined(4 * s.columns) + lined(s.ring_step) + 2 * lined(s.line_step)
                         + lined(2 * s.line_step + 64) + lined(s.columns * <Py_ssize_t>sizeof(void*))
                         + lined(s.rows * <Py_ssize_t>sizeof(void*)))
        left = memory
        if memory != NULL:
            k.column_weights = by_two(down, k.tall, &left)
            k.row_weights = by_two(along, k.wide, &left)
            k.source = <uint8_t*>take(&left, s.ring_step)
            k.middle = take(&left, 2 * s.line_step + 64)
            k.line = <int16_t*>take(&left, s.line_step)
            k.narrowed = <uint8_t*>take(&left, s.line_step)
            k.along = <const char**>take(&left, s.columns * <Py_ssize_t>sizeof(void*))
            k.down = <const char**>take(&left, s.rows * <Py_ssize_t>sizeof(void*))
            status = swept(&s, &k, even_row, NULL, even_line)
        free(memory)
    if status < 0:
        raise MemoryError("imfilt: no memory for the rows of a strip")


# ---- polar: the gradient as angles and lengths -------------------------------------------

def polar(cnp.ndarray down not None, cnp.ndarray along not None, bint diagonal, double factor, /):
    """In place: derivatives down and along become the angle, and the length times a factor; see `polar_f32`."""
    cdef Py_ssize_t n = cnp.PyArray_SIZE(down)
    cdef void* first = cnp.PyArray_DATA(down)
    cdef void* second = cnp.PyArray_DATA(along)
    cdef int kind = cnp.PyArray_TYPE(down)
    if (kind != cnp.PyArray_TYPE(along) or kind not in (cnp.NPY_FLOAT, cnp.NPY_DOUBLE) or cnp.PyArray_SIZE(along) != n
            or not cnp.PyArray_ISCARRAY(down) or not cnp.PyArray_ISCARRAY(along)):
        raise ValueError("core: two contiguous arrays of float32 or float64 and of one size are needed")
    with nogil:
        if kind == cnp.NPY_FLOAT:
            polar_f32(<float*>first, <float*>second, n, diagonal, <float>factor)
        else:
            polar_f64(<double*>first, <double*>second, n, diagonal, factor)


# ---- suppress and link: edges one pixel wide, for Canny's detector ---------------------

ctypedef struct Suppress:
    double low, high
    char* down                 # derivatives of two rows
    char* along
    char* magnitude            # magnitudes of three
    Py_ssize_t step
    char* ring


cdef void suppress_load(Sweep* s, void* work, Py_ssize_t y, Py_ssize_t pixels, vec* ring_row) noexcept nogil:
    """Reads a row; the derivatives of the row above it are then known."""
    cdef Suppress* k = <Suppress*>work
    cdef Py_ssize_t n = y - 1 + s.top, slots = s.rows + 1
    a_row(s, NULL, y, pixels, <char*>ring_row)
    k.ring = <char*>ring_row - (y + s.top) % slots * s.ring_step
    if n < s.y0 + 1:  # the first row of the band, and none above it
        return
    sobel_rows(k.ring + (n - 1) % slots * s.ring_step, k.ring + n % slots * s.ring_step, <char*>ring_row, s.size,
               k.down + n % 2 * k.step, k.along + n % 2 * k.step, k.magnitude + n % 3 * k.step,
               padded((pixels - 2) * s.size), ring_row[0])


cdef void suppress_line(Sweep* s, void* work, const char** rows, Py_ssize_t y, Py_ssize_t i, Py_ssize_t count,
                        bint stream, vec* out, Py_ssize_t out_step, Py_ssize_t nbytes) noexcept nogil:
    cdef Suppress* k = <Suppress*>work
    # Rows are counted from the first of the frame, as in suppress_load.
    cdef Py_ssize_t n = y + i + 2, at = rows[i] - (k.ring + (y + i) % (s.rows + 1) * s.ring_step)
    cdef const char* down = k.down + n % 2 * k.step + at + s.size
    cdef const char* along = k.along + n % 2 * k.step + at + s.size
    cdef const char* above = k.magnitude + (n - 1) % 3 * k.step + at
    cdef const char* here = k.magnitude + n % 3 * k.step + at
    cdef const char* below = k.magnitude + (n + 1) % 3 * k.step + at
    if vec is vf32:
        suppress_row(<const float*>down, <const float*>along, <const float*>above, <const float*>here,
                     <const float*>below, <float>k.low, <float>k.high, <float*>out, nbytes // 4)
    else:
        suppress_row(<const double*>down, <const double*>along, <const double*>above, <const double*>here,
                     <const double*>below, k.low, k.high, <double*>out, nbytes // 8)


def suppress(cnp.ndarray src not None, cnp.ndarray dst not None, frame, double low, double high,
             Py_ssize_t y0, Py_ssize_t y1, /):
    """Rows y0 to y1 of the labels of edges: 1 where the gradient's magnitude is a maximum across the edge, 2 if large.

    src is a grey image. Derivatives are Sobel's, not halved. `low` and `high` are the least magnitudes for 1 and 2.
    """
    cdef Sweep s
    cdef Suppress k
    cdef int status = -1
    cdef char* memory
    cdef char* left
    opened(&s, src, dst, frame, y0, y1)
    same_channels(&s)
    if max(s.stride_y, s.stride_x, s.up_y, s.up_x, s.block) > 1 or s.channels != 1 or s.rows != 5 or s.columns != 5:
        raise ValueError("core: suppress takes a grey image, five rows and columns, and has no steps")
    k.low, k.high = low, high
    with nogil:
        k.step = s.ring_step
        memory = scratch(7 * lined(k.step))
        left = memory
        if memory != NULL:
            k.down = take(&left, 2 * k.step)
            k.along = take(&left, 2 * k.step)
            k.magnitude = take(&left, 3 * k.step)
            k.ring = NULL
            if s.wide:
                status = swept(&s, &k, <load_row>suppress_load[vf64], NULL, <make_line>suppress_line[vf64])
            else:
                status = swept(&s, &k, <load_row>suppress_load[vf32], NULL, <make_line>suppress_line[vf32])
        free(memory)
    if status < 0:
        raise MemoryError("imfilt: no memory for the rows of a strip")


cdef inline uint32_t three(const char* row) noexcept nogil:
    """1 in each byte for a pixel that is 1 or 2; 3 is a 2 whose neighbours have been looked at."""
    cdef uint16_t two
    cdef uint32_t pixels
    memcpy(&two, row, 2)
    pixels = two | <uint32_t>(<unsigned char>row[2]) << 16
    return (pixels ^ pixels >> 1) & 0x010101


cdef int grow(char* labels, Py_ssize_t height, Py_ssize_t width, Py_ssize_t step) noexcept nogil:
    """3 for what is 2, or is 1 and touches a 3, as often as it takes; the outermost pixels are 0.

    -1 when there is no memory.
    """
    cdef Py_ssize_t room = 4096, used, x, y, t, i
    cdef uint64_t eight
    cdef uint32_t new
    cdef char* row
    cdef char* at
    cdef char** more
    cdef char** places = <char**>malloc(room * sizeof(char*))
    if places == NULL:
        return -1
    for y in range(1, height - 1):
        row = labels + y * step
        x = 1
        while x < width - 1:
            if x + 8 <= width:
                memcpy(&eight, row + x, 8)
                # Neither a 2 (a 3 has the lower bit as well) among these eight.
                if (eight & ~(eight << 1) & <uint64_t>0x0202020202020202) == 0:
                    x += 8
                    continue
            used = 0
            if row[x] == 2:
                row[x] = 3
                places[0] = row + x
                used = 1
            x += 1
            while used:
                used -= 1
                at = places[used]
                if used + 8 > room:
                    more = <char**>realloc(places, 2 * room * sizeof(char*))
                    if more == NULL:
                        free(places)
                        return -1
                    places = more
                    room *= 2
                for t in range(-1, 2):
                    new = three(at + t * step - 1)
                    if new:
                        for i in range(3):
                            if new >> (8 * i) & 1:
                                at[t * step + i - 1] = 3
                                places[used] = at + t * step + i - 1
                                used += 1
    free(places)
    return 0


def link(cnp.ndarray labels not None, /):
    """In place: 1 for the pixels that are 2, and those that are 1 and touch one of them, as often as it takes; else 0.

    The outermost pixels must be 0.
    """
    cdef Py_ssize_t height, width, step, x, y
    cdef char* data = cnp.PyArray_BYTES(labels)
    cdef unsigned char* row
    cdef int status
    if (cnp.PyArray_NDIM(labels) != 2 or cnp.PyArray_TYPE(labels) != cnp.NPY_UINT8
            or not cnp.PyArray_ISWRITEABLE(labels)):
        raise ValueError("core: labels must be a writeable uint8 image")
    height, width = cnp.PyArray_DIMS(labels)[0], cnp.PyArray_DIMS(labels)[1]
    step = cnp.PyArray_STRIDES(labels)[0]
    if width > 1 and cnp.PyArray_STRIDES(labels)[1] != 1:
        raise ValueError("core: the pixels of a row of labels must be packed")
    for y in range(height):
        for x in range(0, width, 1 if y == 0 or y == height - 1 else max(width - 1, 1)):
            if data[y * step + x]:
                raise ValueError("core: the outermost pixels of labels must be 0")
    with nogil:
        status = grow(data, height, width, step)
        for y in range(height if status == 0 else 0):
            row = <unsigned char*>(data + y * step)
            for x in range(width):
                row[x] = row[x] == 3
    if status < 0:
        raise MemoryError("imfilt: no memory to follow edges")
