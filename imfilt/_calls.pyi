"""Calls that were seen before."""

from collections.abc import Callable
from typing import Any

import numpy as np

def watch(change: int) -> None: ...

class Calls:
    def __init__(self, most: int) -> None: ...
    def __len__(self) -> int: ...
    def find(self, image: Any, out: Any, parameters: tuple) -> Any: ...
    def run(self, image: Any, out: Any, parameters: tuple) -> Any: ...
    def again(self, core: Any, arguments: tuple, named: dict) -> Any: ...
    def keep(
        self,
        image: Any,
        out: Any,
        parameters: tuple,
        found: Any,
        shape: tuple | None = None,
        dtype: np.dtype | None = None,
        function: Callable | None = None,
        rest: tuple | None = None,
    ) -> None: ...
    def clear(self) -> None: ...
