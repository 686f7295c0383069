"""Warnings with the location of the caller."""

from __future__ import annotations

import sys
import warnings

_INSIDE = ("tabrec.", "sklearn.", "contextlib")


def warn_caller(message: str) -> None:
    """Warn with the location of the caller outside this package, scikit-learn and decorating contexts."""
    frame, depth = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(_INSIDE):
        frame, depth = frame.f_back, depth + 1
    warnings.warn(message, stacklevel=depth)
