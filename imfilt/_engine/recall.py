"""What arguments mean that have passed the checks, found again when the same come again."""

import numpy as np

MOST_BYTES = 4096  # of weights: to compare more takes longer than it saves, beside the work they make
MOST_CALLS = 256


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
    known: dict = {}

    def recall(image, arrays, *parameters):
        key = _key(image, arrays, parameters)
        if key is not None:
            try:
                found = known.get(key)
            except TypeError:  # not hashable: the checks will say what is wrong with it
                key = found = None
            if found is not None:
                return image, found
        array, found = find(image, arrays, *parameters)
        if key is not None:
            if len(known) >= MOST_CALLS:
                known.clear()
            known[key] = found
        return array, found

    return recall


def _key(image, arrays, parameters):
    """What a call is known by; None if it has to be looked at each time."""
    if type(image) is not np.ndarray:
        return None
    # True is equal to 1, but not as an argument.
    kinds = tuple(map(type, parameters))
    key = [image.shape, image.dtype, parameters, kinds]
    if tuple in kinds:
        inner = [tuple(map(type, one)) for one in parameters if type(one) is tuple]
        if any(tuple in one for one in inner):
            return None
        key += inner
    for one in arrays:
        if one is None:
            key.append(None)
        elif type(one) is np.ndarray and one.nbytes <= MOST_BYTES and not one.dtype.hasobject:
            key += one.shape, one.dtype, one.tobytes()
        else:
            return None
    return tuple(key)
