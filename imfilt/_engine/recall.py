"""What arguments mean that have passed the checks, found again when the same come again."""

from collections.abc import Callable
from contextvars import ContextVar
from fractions import Fraction
from functools import wraps
from typing import Any, TypeVar

import numpy as np

from imfilt._calls import Calls
from imfilt._engine import isa, plan

F = TypeVar("F", bound=Callable[..., Any])

MOST_BYTES = 4096  # of weights: to compare more takes longer than it saves, beside the work they make
MOST_CALLS = 256
MOST_SHORTCUTS = 64  # for each function
LASTING = type(None), bool, int, float, str, Fraction

_told: ContextVar[list | None] = ContextVar("imfilt_told", default=None)


def recalled(find):
    """A function (image, arrays, *parameters) -> (array, what was found), which remembers.

    Parameters
    ----------
    find : callable
        (image, arrays, *parameters) -> (the image as an array, what was found). That depends on the shape and the
        dtype of the image, on the contents of `arrays` (weights, or None) and on the parameters, and on nothing
        else. Checks all of them.

    Returns
    -------
    callable
    """
    known = Calls(MOST_CALLS)

    def recall(image, arrays, *parameters):
        key = parameters
        for one in arrays:
            if one is None:
                key += (None,)
            elif _is_short(one):
                key += ((one.shape, one.dtype, one.tobytes()),)
            else:
                return find(image, arrays, *parameters)
        found = known.find(image, None, key)
        if found is not None:
            return image, found
        array, found = find(image, arrays, *parameters)
        known.keep(image, None, key, found)
        return array, found

    return recall


def shortcut(function: F) -> F:
    """Decorator for a function (image, ...) whose result, if it is that of one sweep, nobody changes.

    Calls that come again go to the loop of that sweep at once. Whoever sweeps tells, see `listener`.
    """
    known = Calls(MOST_SHORTCUTS)
    plan.caches.append(known)
    again = known.again

    @wraps(function)
    def call(*arguments, **named):
        result = again(isa.core, arguments, named)
        return learn(arguments, named) if result is None else result

    def learn(arguments, named):
        sweeps: list = []
        token = _told.set(sweeps)
        try:
            result = function(*arguments, **named)
        finally:
            _told.reset(token)
        if len(sweeps) == 1 and arguments:
            image, made, loop = sweeps[0]
            if loop and image is arguments[0] and made is result:
                names = tuple(name for name in named if name != "out")
                values = *arguments[1:], *(named[name] for name in names)
                if all(_lasts(one) or _is_short(one) for one in values):
                    values = tuple(one.copy() if _is_short(one) else one for one in values)
                    known.keep(image, named.get("out"), (isa.core, names, len(named)), values, *loop)
        return result

    return call  # type: ignore[return-value]


def _lasts(value):
    """Whether a value stays as it is."""
    return (
        type(value) in LASTING
        or isinstance(value, (type, np.dtype, np.generic))
        or (type(value) is tuple and all(map(_lasts, value)))
    )


def _is_short(value):
    """Whether a value is an array whose numbers are compared sooner than it is used."""
    return type(value) is np.ndarray and value.nbytes <= MOST_BYTES and not value.dtype.hasobject


def listener():
    """The list of those (image, result, what `Calls.keep` takes or nothing) that somebody asks for, or None."""
    return _told.get()
