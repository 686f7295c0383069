"""`physical_memory`: how much memory this machine has, so that work that cannot fit is refused before it begins."""

from __future__ import annotations

import os


def physical_memory() -> int | None:
    """Return the physical memory of this machine in bytes; None if the system does not report it."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
