"""The loops: one function per loop shape, each for a range of output rows.

Each is a sweep (imfilt/_sweep.pxd) with hooks of its own, which hand rows of scratch memory
to the row arithmetic (imfilt/_rows.pxd). Arguments are trusted (imfilt/_engine/checks.py has
looked at them) except for the sizes on which memory safety rests. The GIL is released while
pixels move. The readable form of each function, with the same signature, is in
imfilt/_engine/twin.py.
"""

cimport numpy as cnp
from libc.stdlib cimport free

from imfilt._rows cimport VECTOR_BYTES, fir_rows, gradient_row, norm_row, vec, vf32, vf64
from imfilt._sweep cimport (Sweep, begin_block, lined, load_row, make_line, padded, parity, prepare, read_row,
                            row_bytes, scratch, spaced, spread, sweep, take, taps)

cnp.import_array()


# ---- separable: a column of taps, then a row of taps ----------------------------

ctypedef struct Separable:
    const double* column
    const double* row
    Py_ssize_t columns         # taps in the row
    int column_parity, row_parity
    char* column_weights
    char* row_weights
    char* middle
    Py_ssize_t middle_step
    const char** along         # a pointer per tap of the row


cdef void separable_block(Sweep* s, void* work, const char** rows, Py_ssize_t count,
                          Py_ssize_t nbytes, vec* unused) noexcept nogil:
    cdef Separable* k = <Separable*>work
    fir_rows(rows, s.stride_y, count, s.rows, <const vec*>k.column_weights, k.column_parity, NULL, False,
             k.middle, k.middle_step, padded(nbytes + (s.columns - 1) * s.pixel))


cdef void separable_line(Sweep* s, void* work, const char** rows, Py_ssize_t y, Py_ssize_t i,
                         bint stream, vec* out, Py_ssize_t nbytes) noexcept nogil:
    cdef Separable* k = <Separable*>work
    cdef Py_ssize_t t
    for t in range(s.columns):
        k.along[t] = k.middle + i * k.middle_step + t * s.pixel
    fir_rows(k.along, 0, 1, s.columns, <const vec*>k.row_weights, k.row_parity,
             <const vec*>s.scale_vector, stream, <char*>out, 0, nbytes)


def separable(cnp.ndarray src not None, cnp.ndarray dst not None, frame,
              cnp.ndarray column not None, cnp.ndarray row not None,
              Py_ssize_t y0, Py_ssize_t y1):
    """Rows y0 to y1 of the correlation of src with the outer product of column and row."""
    cdef Sweep s
    cdef Separable k
    cdef int status = -1
    cdef char* memory
    cdef char* left
    prepare(&s, src, dst, frame, y0, y1)
    cdef const double* down = taps(column, s.rows)
    cdef const double* along = taps(row, s.columns)
    with nogil:
        k.column_parity = parity(down, s.rows)
        k.row_parity = parity(along, s.columns)
        k.middle_step = s.line_step
        memory = scratch(lined(s.block * k.middle_step) + lined(s.rows * VECTOR_BYTES)
                         + lined(s.columns * VECTOR_BYTES) + lined(s.columns * <Py_ssize_t>sizeof(void*)))
        left = memory
        if memory != NULL:
            k.middle = take(&left, s.block * k.middle_step)
            k.column_weights = take(&left, s.rows * VECTOR_BYTES)
            k.row_weights = take(&left, s.columns * VECTOR_BYTES)
            k.along = <const char**>take(&left, s.columns * <Py_ssize_t>sizeof(void*))
            if s.wide:
                spread(down, s.rows, <vf64*>k.column_weights)
                spread(along, s.columns, <vf64*>k.row_weights)
                status = sweep(&s, &k, read_row, <begin_block>separable_block[vf64],
                               <make_line>separable_line[vf64])
            else:
                spread(down, s.rows, <vf32*>k.column_weights)
                spread(along, s.columns, <vf32*>k.row_weights)
                status = sweep(&s, &k, read_row, <begin_block>separable_block[vf32],
                               <make_line>separable_line[vf32])
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


cdef void gradient_line(Sweep* s, void* work, const char** rows, Py_ssize_t y, Py_ssize_t i,
                        bint stream, vec* out, Py_ssize_t nbytes) noexcept nogil:
    cdef Gradient* k = <Gradient*>work
    cdef const vec* smooth = <const vec*>k.smooth_weights
    cdef const vec* difference = <const vec*>k.difference_weights
    cdef const vec* scale = <const vec*>s.scale_vector
    cdef const vec* half = <const vec*>s.half_vector
    cdef Py_ssize_t t
    cdef bint unsafe
    if k.radius == 1 and stream:  # constants, so that the compiler unrolls and specialises
        unsafe = gradient_row(rows + i, 1, s.pixel, smooth, difference, half, scale,
                              k.smoothed, k.differed, s.ahead, VECTOR_BYTES, True, <char*>out, nbytes)
    elif k.radius == 1:
        unsafe = gradient_row(rows + i, 1, s.pixel, smooth, difference, half, scale,
                              k.smoothed, k.differed, s.ahead, VECTOR_BYTES, False, <char*>out, nbytes)
    else:
        unsafe = gradient_row(rows + i, k.radius, s.pixel, smooth, difference, half, scale,
                              k.smoothed, k.differed, s.ahead, VECTOR_BYTES, stream, <char*>out, nbytes)
    if unsafe:
        for t in range(s.columns):
            k.along[t] = k.differed + t * s.pixel
        fir_rows(k.along, 0, 1, s.columns, smooth, 1, NULL, False, k.spare, 0, padded(nbytes))
        for t in range(s.columns):
            k.along[t] = k.smoothed + t * s.pixel
        # In place: an output block reads its own bytes and bytes to the right only.
        fir_rows(k.along, 0, 1, s.columns, difference, -1, NULL, False, k.smoothed, 0, padded(nbytes))
        norm_row(k.smoothed, k.spare, half, scale, stream, <char*>out, nbytes)


def gradient(cnp.ndarray src not None, cnp.ndarray dst not None, frame,
             cnp.ndarray smooth not None, cnp.ndarray difference not None,
             Py_ssize_t y0, Py_ssize_t y1):
    """Rows y0 to y1 of the root mean square of (smooth x difference, difference x smooth).

    smooth is even, difference is odd, both of the same odd length.
    """
    cdef Sweep s
    cdef Gradient k
    cdef int status = -1
    cdef char* memory
    cdef char* left
    prepare(&s, src, dst, frame, y0, y1)
    cdef const double* even = taps(smooth, s.rows)
    cdef const double* odd = taps(difference, s.columns)
    if s.rows != s.columns or parity(even, s.rows) <= 0 or parity(odd, s.rows) >= 0:
        raise ValueError("core: gradient needs an even and an odd kernel of one length")
    if s.stride_x != 1 or s.stride_y != 1 or s.up_x != 1 or s.up_y != 1:
        raise ValueError("core: gradient has no steps")
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
                spread(even, s.rows, <vf64*>k.smooth_weights)
                spread(odd, s.rows, <vf64*>k.difference_weights)
                status = sweep(&s, &k, read_row, NULL, <make_line>gradient_line[vf64])
            else:
                spread(even, s.rows, <vf32*>k.smooth_weights)
                spread(odd, s.rows, <vf32*>k.difference_weights)
                status = sweep(&s, &k, read_row, NULL, <make_line>gradient_line[vf32])
        free(memory)
    if status < 0:
        raise MemoryError("imfilt: no memory for the rows of a strip")


# ---- direct: any taps, of one kernel or of two whose root mean square is wanted -------

ctypedef struct Direct:
    Py_ssize_t count, split    # taps in all, taps of the first kernel
    const Py_ssize_t* offsets  # row and column of each tap
    char* weights
    char* first                # a line of each kernel
    char* second
    const char** at


cdef void direct_line(Sweep* s, void* work, const char** rows, Py_ssize_t y, Py_ssize_t i,
                      bint stream, vec* out, Py_ssize_t nbytes) noexcept nogil:
    cdef Direct* k = <Direct*>work
    cdef const vec* weights = <const vec*>k.weights
    cdef const vec* scale = <const vec*>s.scale_vector
    cdef Py_ssize_t t, whole = padded(nbytes)
    for t in range(k.count):
        k.at[t] = rows[i * s.stride_y + k.offsets[2 * t]] + k.offsets[2 * t + 1] * s.pixel
    if k.split == k.count:
        fir_rows(k.at, 0, 1, k.count, weights, 0, scale, stream, <char*>out, 0, nbytes)
    else:
        fir_rows(k.at, 0, 1, k.split, weights, 0, NULL, False, k.first, 0, whole)
        fir_rows(k.at + k.split, 0, 1, k.count - k.split, weights + k.split, 0, NULL, False, k.second, 0, whole)
        norm_row(k.first, k.second, <const vec*>s.half_vector, scale, stream, <char*>out, nbytes)


def direct(cnp.ndarray src not None, cnp.ndarray dst not None, frame,
           cnp.ndarray offsets not None, cnp.ndarray weights not None, Py_ssize_t split,
           Py_ssize_t y0, Py_ssize_t y1):
    """Rows y0 to y1 of the sum of weights[t] * src at offsets[t]; of the first `split`
    taps alone when that is all, else the root mean square of that sum and the sum of the rest.
    """
    cdef Sweep s
    cdef Direct k
    cdef int status = -1
    cdef char* memory
    cdef char* left
    prepare(&s, src, dst, frame, y0, y1)
    cdef Py_ssize_t t
    k.count = cnp.PyArray_SIZE(weights)
    k.split = split
    cdef const double* given = taps(weights, k.count)
    if (cnp.PyArray_TYPE(offsets) != cnp.NPY_INTP or not cnp.PyArray_ISCARRAY_RO(offsets)
            or cnp.PyArray_SIZE(offsets) != 2 * k.count or not 1 <= split <= k.count):
        raise ValueError("core: a row and a column of type intp are needed for each tap")
    k.offsets = <const Py_ssize_t*>cnp.PyArray_DATA(offsets)
    for t in range(k.count):
        if not (0 <= k.offsets[2 * t] < s.rows and 0 <= k.offsets[2 * t + 1] < s.columns):
            raise ValueError("core: a tap lies outside the frame")
    with nogil:
        memory = scratch(lined(k.count * VECTOR_BYTES) + 2 * lined(s.line_step)
                         + lined(k.count * <Py_ssize_t>sizeof(void*)))
        left = memory
        if memory != NULL:
            k.weights = take(&left, k.count * VECTOR_BYTES)
            k.first = take(&left, s.line_step)
            k.second = take(&left, s.line_step)
            k.at = <const char**>take(&left, k.count * <Py_ssize_t>sizeof(void*))
            if s.wide:
                spread(given, k.count, <vf64*>k.weights)
                status = sweep(&s, &k, read_row, NULL, <make_line>direct_line[vf64])
            else:
                spread(given, k.count, <vf32*>k.weights)
                status = sweep(&s, &k, read_row, NULL, <make_line>direct_line[vf32])
        free(memory)
    if status < 0:
        raise MemoryError("imfilt: no memory for the rows of a strip")


# ---- upsample: separable, a set of taps for every phase -------------------------

ctypedef struct Upsample:
    char* column_weights       # up_y sets of `rows` taps
    char* row_weights          # up_x sets of `columns` taps
    char* source               # a row as it was read
    char* phase                # its pixels of one phase
    const char** along


cdef void upsample_row(Sweep* s, void* work, Py_ssize_t y, Py_ssize_t pixels, vec* ring_row) noexcept nogil:
    """Reads a source row and widens it to the columns of the result."""
    cdef Upsample* k = <Upsample*>work
    cdef Py_ssize_t p, t, each = pixels - s.columns + 1
    read_row(s, NULL, y, pixels, k.source)
    for t in range(s.columns):
        k.along[t] = k.source + t * s.pixel
    for p in range(s.up_x):
        fir_rows(k.along, 0, 1, s.columns, <const vec*>k.row_weights + p * s.columns, 0, NULL, False,
                 k.phase, 0, padded(each * s.pixel))
        if vec is vf32:
            spaced(<const float*>k.phase, 1, <float*>ring_row + p * s.channels, s.up_x, each, s.channels)
        else:
            spaced(<const double*>k.phase, 1, <double*>ring_row + p * s.channels, s.up_x, each, s.channels)


cdef void upsample_line(Sweep* s, void* work, const char** rows, Py_ssize_t y, Py_ssize_t i,
                        bint stream, vec* out, Py_ssize_t nbytes) noexcept nogil:
    cdef Upsample* k = <Upsample*>work
    fir_rows(rows + ((y + i) // s.up_y - y // s.up_y), 0, 1, s.rows,
             <const vec*>k.column_weights + (y + i) % s.up_y * s.rows, 0,
             <const vec*>s.scale_vector, stream, <char*>out, 0, nbytes)


def upsample(cnp.ndarray src not None, cnp.ndarray dst not None, frame,
             cnp.ndarray column not None, cnp.ndarray row not None,
             Py_ssize_t y0, Py_ssize_t y1):
    """Rows y0 to y1 of src with up_y x up_x pixels for each of its pixels.

    Output row y is the sum over t of column[y % up_y, t] times source row
    y // up_y - top + t; columns likewise.
    """
    cdef Sweep s
    cdef Upsample k
    cdef int status = -1
    cdef char* memory
    cdef char* left
    prepare(&s, src, dst, frame, y0, y1)
    if s.stride_x != 1 or s.stride_y != 1 or (s.strip % s.up_x and s.strip < s.out_width):
        raise ValueError("core: upsample has no strides, and strips of whole source pixels")
    cdef Py_ssize_t column_count = s.up_y * s.rows, row_count = s.up_x * s.columns
    cdef const double* down = taps(column, column_count)
    cdef const double* along = taps(row, row_count)
    with nogil:
        memory = scratch(lined(column_count * VECTOR_BYTES) + lined(row_count * VECTOR_BYTES)
                         + 2 * lined(s.ring_step) + lined(s.columns * <Py_ssize_t>sizeof(void*)))
        left = memory
        if memory != NULL:
            k.column_weights = take(&left, column_count * VECTOR_BYTES)
            k.row_weights = take(&left, row_count * VECTOR_BYTES)
            k.source = take(&left, s.ring_step)
            k.phase = take(&left, s.ring_step)
            k.along = <const char**>take(&left, s.columns * <Py_ssize_t>sizeof(void*))
            # The ring holds widened rows: whole source pixels, so up to up_x - 1 columns more than a strip.
            s.ring_step = row_bytes((s.strip + s.up_x) * s.pixel)
            if s.wide:
                spread(down, column_count, <vf64*>k.column_weights)
                spread(along, row_count, <vf64*>k.row_weights)
                status = sweep(&s, &k, <load_row>upsample_row[vf64], NULL, <make_line>upsample_line[vf64])
            else:
                spread(down, column_count, <vf32*>k.column_weights)
                spread(along, row_count, <vf32*>k.row_weights)
                status = sweep(&s, &k, <load_row>upsample_row[vf32], NULL, <make_line>upsample_line[vf32])
        free(memory)
    if status < 0:
        raise MemoryError("imfilt: no memory for the rows of a strip")
