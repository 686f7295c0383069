"""The compiled library of the tree grower: the file for this processor, or the reason why there is none."""

from __future__ import annotations

import ctypes
import os
import platform
from functools import cache
from pathlib import Path
from typing import NamedTuple

# Set to "0", it leaves the compiled library unused; set to an instruction set, it uses the file for this one.
SWITCH = "TABREC_GROWER"
# Must equal `grower_version` in grower.cpp.
_VERSION = 5
_FOLDER = Path(__file__).parents[1] / "trees" / "grower"
# The features that each compiled file needs, the most capable first.
_LEVELS: dict[str, set[str]] = {"avx2": {"AVX2", "POPCNT"}, "baseline": set()}


class CompiledLibrary(NamedTuple):
    """The functions of the library and its instruction set, or None and the reason why it is not available."""

    functions: ctypes.CDLL | None
    level: str
    reason: str

    def __str__(self) -> str:
        return f"scikit-learn's ({self.reason})" if self.functions is None else f"compiled ({self.level})"


def find_compiled() -> CompiledLibrary:
    """Return the library for this processor, unless the environment variable `TABREC_GROWER` is "0"."""
    wanted = os.environ.get(SWITCH, "")
    return CompiledLibrary(None, "", f"{SWITCH}=0") if wanted == "0" else _load(wanted)


@cache
def _load(wanted: str) -> CompiledLibrary:
    reason = "the package was installed without a C++ compiler"
    if wanted and wanted not in _LEVELS:
        return CompiledLibrary(None, "", f"{SWITCH}={wanted} is neither 0 nor one of {', '.join(_LEVELS)}")
    for level in [wanted] if wanted else _levels_of_this_processor():
        for path in sorted(_FOLDER.glob(f"_grower.{level}.*")):
            if path.suffix not in {".so", ".dll"}:  # an object file of an unfinished build
                continue
            try:
                functions = ctypes.CDLL(str(path))
            except OSError as error:  # built for another platform
                reason = str(error)
                continue
            if functions.grower_version() == _VERSION:
                return CompiledLibrary(functions, level, "")
            reason = f"{path.name} is of another release: install again"
    return CompiledLibrary(None, "", reason)


def _levels_of_this_processor() -> list[str]:
    if platform.machine().lower() not in {"x86_64", "amd64"}:
        return ["baseline"]
    try:
        from numpy._core._multiarray_umath import __cpu_features__ as features
    except ImportError:
        return ["baseline"]
    found = {name for name, has in features.items() if has}
    return [level for level, needed in _LEVELS.items() if needed <= found]
