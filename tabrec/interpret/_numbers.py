"""Format numbers in sentences and tables, without exponents if possible."""

from __future__ import annotations

import numpy as np

_SMALLEST, _LARGEST = -4, 15  # exponents of numbers without an exponent


def show_number(value: float, digits: int = 4) -> str:
    """Format a number with `digits` significant digits and separated thousands: 25,798, 0.1234, 1.5e-06."""
    value = float(value)
    if not np.isfinite(value) or value == 0:
        return f"{value:g}"
    power = int(np.floor(np.log10(abs(value))))
    if not _SMALLEST <= power < _LARGEST:
        return f"{value:.{digits}g}"
    text = f"{value:,.{max(digits - 1 - power, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
