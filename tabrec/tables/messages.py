"""Warnings with the location of the caller."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_INSIDE = ("tabrec.", "sklearn.", "contextlib")


def warn_caller(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn with the location of the caller outside this package, scikit-learn and decorating contexts."""
    frame, depth = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(_INSIDE):
        frame, depth = frame.f_back, depth + 1
    warnings.warn(message, category, stacklevel=depth)


@contextmanager
def distinct_warnings() -> Iterator[None]:
    """Emit each distinct warning of the block once, at its end, with the location of the caller."""
    with warnings.catch_warnings(record=True) as caught:
        yield
    for message, category in dict.fromkeys((str(found.message), found.category) for found in caught):
        warn_caller(message, category)
