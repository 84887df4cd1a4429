"""Calls that were seen before: what is known of them is found again, and run, without the interpreter.

A call is known by the shape and the dtype of its image and of `out`, and by its other arguments.
"""

cimport numpy as cnp
from cpython.object cimport Py_EQ, PyObject_RichCompareBool
from cpython.ref cimport Py_INCREF

cnp.import_array()

cdef extern from "numpy/arrayobject.h":
    object PyArray_Empty(int nd, const cnp.npy_intp* dims, cnp.dtype dtype, int fortran)  # takes the dtype over
    bint PyArray_ISCARRAY(cnp.ndarray array)

cdef enum:
    MOST_AXES = 4

cdef int watchers = 0


def watch(int change, /):
    """One who asks for the steps of calls more, or less: no call is run here while there are any."""
    global watchers
    watchers += change


cdef bint are_same(object a, object b) except -1:
    """Whether two arguments are one, or equal and of the same type: True is equal to 1, but not as an argument."""
    cdef Py_ssize_t i
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if type(a) is not tuple:
        return PyObject_RichCompareBool(a, b, Py_EQ)
    if len(<tuple>a) != len(<tuple>b):
        return False
    for i in range(len(<tuple>a)):
        if not are_same((<tuple>a)[i], (<tuple>b)[i]):
            return False
    return True


cdef bint may_overlap(cnp.ndarray image, cnp.ndarray out) noexcept:
    """Whether `out`, which is contiguous, has bytes among those from the first of the image to its last."""
    cdef const char* first = <const char*>cnp.PyArray_DATA(image)
    cdef const char* last = first + cnp.PyArray_ITEMSIZE(image)
    cdef const char* begin = <const char*>cnp.PyArray_DATA(out)
    cdef Py_ssize_t step
    cdef int i
    for i in range(cnp.PyArray_NDIM(image)):
        step = (cnp.PyArray_DIM(image, i) - 1) * cnp.PyArray_STRIDE(image, i)
        if step < 0:
            first += step
        else:
            last += step
    return first < begin + cnp.PyArray_NBYTES(out) and begin < last


ctypedef struct Form:
    int axes  # -1: there is no array
    cnp.npy_intp shape[MOST_AXES]


cdef int put_form(Form* form, tuple shape) except -1:
    cdef Py_ssize_t i
    if len(shape) > MOST_AXES:
        raise ValueError("calls: too many axes")
    form.axes = <int>len(shape)
    for i in range(len(shape)):
        form.shape[i] = shape[i]
    return 0


cdef bint fits(cnp.ndarray array, const Form* form, cnp.dtype dtype) except -1:
    cdef int i
    if cnp.PyArray_NDIM(array) != form.axes:
        return False
    for i in range(form.axes):
        if cnp.PyArray_DIM(array, i) != form.shape[i]:
            return False
    return are_same(array.descr, dtype)


cdef class Known:
    """What is known of one call."""

    cdef Form image, out, result
    cdef cnp.dtype image_dtype, out_dtype, result_dtype
    cdef tuple parameters
    cdef object found
    cdef object function  # None: there is none that makes the result
    cdef tuple rest


cdef class Calls:
    """What is known of calls.

    Parameters
    ----------
    most : int
        Calls that are remembered.
    """

    cdef list kept
    cdef Py_ssize_t most

    def __init__(self, Py_ssize_t most, /):
        self.kept, self.most = [], most

    def __len__(self):
        return len(self.kept)

    cdef Known at(self, object image, object out, tuple parameters):
        cdef Known known
        cdef list kept = self.kept  # it never becomes shorter, whatever other threads do while arguments are compared
        cdef Py_ssize_t i
        if type(image) is not cnp.ndarray or not (out is None or type(out) is cnp.ndarray):
            return None
        for i in range(len(kept)):
            known = <Known>kept[i]
            if (fits(image, &known.image, known.image_dtype)
                    and (known.out.axes < 0 if out is None else fits(out, &known.out, known.out_dtype))
                    and are_same(parameters, known.parameters)):
                if i:  # those that come often are found soon
                    kept[i], kept[0] = kept[0], known
                return known
        return None

    def find(self, object image, object out, tuple parameters not None, /):
        """What was kept for such a call, or None."""
        cdef Known known = self.at(image, out, parameters)
        return None if known is None else known.found

    def run(self, object image, object out, tuple parameters not None, /):
        """The result of such a call, if a function was kept that makes it; else what was kept, or None."""
        cdef Known known = self.at(image, out, parameters)
        if known is None:
            return None
        if known.function is None or watchers:
            return known.found
        if out is None:
            Py_INCREF(known.result_dtype)
            out = PyArray_Empty(known.result.axes, known.result.shape, known.result_dtype, 0)
        elif not PyArray_ISCARRAY(out) or may_overlap(image, out):
            return known.found
        known.function(image, out, *known.rest)
        return out

    def keep(self, object image, object out, tuple parameters not None, object found,
             tuple shape=None, dtype=None, object function=None, tuple rest=None, /):
        """`found` for such a call; and what makes its result, of this shape and dtype: function(image, out, *rest)."""
        cdef Known known = Known()
        if type(image) is not cnp.ndarray or not (out is None or type(out) is cnp.ndarray):
            return
        try:
            hash(parameters)
        except TypeError:  # what can be changed would not be found again as it was
            return
        put_form(&known.image, image.shape)
        known.image_dtype, known.parameters, known.found = image.dtype, parameters, found
        known.out.axes = -1
        if out is not None:
            put_form(&known.out, out.shape)
            known.out_dtype = out.dtype
        if function is not None:
            put_form(&known.result, shape)
            known.result_dtype, known.function, known.rest = dtype, function, rest
        if len(self.kept) >= self.most:
            self.clear()
        self.kept.append(known)

    def clear(self):
        self.kept = []
