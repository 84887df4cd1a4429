"""Calls that were seen before: what is known of them is found again, and run, without the interpreter.

A call is known by the shape and the dtype of its image and of `out`, and by its other arguments.
"""

cimport numpy as cnp
from cpython.object cimport Py_EQ, PyObject, PyObject_RichCompareBool
from cpython.ref cimport Py_INCREF
from libc.math cimport signbit
from libc.string cimport memcmp

cnp.import_array()

cdef extern from "numpy/arrayobject.h":
    object PyArray_Empty(int nd, const cnp.npy_intp* dims, cnp.dtype dtype, int fortran)  # takes the dtype over
    bint PyArray_ISCARRAY(cnp.ndarray array)
    bint PyArray_IS_C_CONTIGUOUS(cnp.ndarray array)

cdef extern from "Python.h":
    PyObject* PyDict_GetItem(dict d, object key)  # NULL, and no error, where there is none

cdef enum:
    MOST_AXES = 4

cdef int watchers = 0


def watch(int change, /):
    """One who asks for the steps of calls more, or less: no call is run here while there are any."""
    global watchers
    watchers += change


cdef bint are_same(object a, object b) except -1:
    """Whether two arguments are one, or equal and of the same type: True is equal to 1, but not as an argument.

    So is 0.0 to -0.0.
    """
    cdef Py_ssize_t i
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if type(a) is float and signbit(<double>a) != signbit(<double>b):
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

    cdef object made(self, object image, object out):
        """The result, in `out` unless that is None; None where the function may not write into that."""
        if out is None:
            Py_INCREF(self.result_dtype)
            out = PyArray_Empty(self.result.axes, self.result.shape, self.result_dtype, 0)
        elif not PyArray_ISCARRAY(out) or may_overlap(image, out):
            return None
        self.function(image, out, *self.rest)
        return out


cdef bint is_again(object value, object kept) except -1:
    """The same for what may be an array: then whether it holds what its copy does."""
    cdef int i
    if type(kept) is not cnp.ndarray:
        return are_same(value, kept)
    if type(value) is not cnp.ndarray or cnp.PyArray_NDIM(value) != cnp.PyArray_NDIM(kept):
        return False
    for i in range(cnp.PyArray_NDIM(kept)):
        if cnp.PyArray_DIM(value, i) != cnp.PyArray_DIM(kept, i):
            return False
    return (PyArray_IS_C_CONTIGUOUS(value) and are_same((<cnp.ndarray>value).descr, (<cnp.ndarray>kept).descr)
            and memcmp(cnp.PyArray_DATA(value), cnp.PyArray_DATA(kept), cnp.PyArray_NBYTES(kept)) == 0)


cdef bint is_call(Known known, object core, tuple arguments, dict named) except -1:
    """Whether these are the arguments behind the image, and the names and what they name, but for `out`."""
    cdef tuple parameters = known.parameters, values = <tuple>known.found, names = <tuple>parameters[1]
    cdef Py_ssize_t i, behind = len(arguments) - 1
    cdef PyObject* value
    if core is not parameters[0] or len(values) != behind + len(names) or len(named) != <Py_ssize_t>parameters[2]:
        return False
    for i in range(len(values)):
        if i < behind:
            value = <PyObject*>arguments[i + 1]
        else:
            value = PyDict_GetItem(named, names[i - behind])
            if value == NULL:
                return False
        if not is_again(<object>value, values[i]):
            return False
    return True


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

    cdef Known at(self, object image, object out, tuple parameters, object core, tuple arguments, dict named):
        """The call with these parameters; or, if there are none, with these arguments."""
        cdef Known known
        cdef list kept = self.kept  # it never becomes shorter, whatever other threads do while arguments are compared
        cdef Py_ssize_t i
        if type(image) is not cnp.ndarray or not (out is None or type(out) is cnp.ndarray):
            return None
        for i in range(len(kept)):
            known = <Known>kept[i]
            if (fits(image, &known.image, known.image_dtype)
                    and (known.out.axes < 0 if out is None else fits(out, &known.out, known.out_dtype))
                    and (is_call(known, core, arguments, named) if parameters is None
                         else are_same(parameters, known.parameters))):
                if i:  # those that come often are found soon
                    kept[i], kept[0] = kept[0], known
                return known
        return None

    def find(self, object image, object out, tuple parameters not None, /):
        """What was kept for such a call, or None."""
        cdef Known known = self.at(image, out, parameters, None, None, None)
        return None if known is None else known.found

    def run(self, object image, object out, tuple parameters not None, /):
        """The result of such a call, if a function was kept that makes it; else what was kept, or None."""
        cdef Known known = self.at(image, out, parameters, None, None, None)
        if known is None:
            return None
        if known.function is None or watchers:
            return known.found
        out = known.made(image, out)
        return known.found if out is None else out

    def again(self, object core, tuple arguments not None, dict named not None, /):
        """The result of a call of a function, if it was kept with (core, names, how many of them) as parameters, the
        values of all arguments as what was found, and what makes the result; else None."""
        cdef Known known
        cdef PyObject* given = PyDict_GetItem(named, "out")
        cdef object out = None if given == NULL else <object>given
        if watchers or not arguments:
            return None
        known = self.at(arguments[0], out, None, core, arguments, named)
        return None if known is None else known.made(arguments[0], out)

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
