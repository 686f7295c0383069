"""The versions of Python, of the dependencies and of the optional packages that are installed."""

from __future__ import annotations

import platform
import re
import sys
from importlib import metadata
from typing import Any

import joblib
import threadpoolctl

from tabrec.tables.compiled import find_compiled

# Extras for working on the package itself.
_DEVELOPMENT = {"dev", "docs", "notebooks"}


def show_versions() -> None:
    """Print the versions of Python and of the dependencies, the optional packages, the grower and numbers of threads.

    The output is useful in bug reports. No dependency is imported for it, so a broken installation is described too.

    See Also
    --------
    sklearn.show_versions : The same for scikit-learn.

    Examples
    --------
    >>> import tabrec
    >>> tabrec.show_versions()  # doctest: +ELLIPSIS
    System:
        Python: 3...
        platform: ...
    """
    required, optional = _requirements()
    sections: dict[str, dict[str, Any]] = {
        "System": {
            "Python": sys.version.replace("\n", " "),
            "executable": sys.executable,
            "platform": platform.platform(),
        },
        "Dependencies": {name: _version(name) for name in ["tabrec", *required]},
        "Optional packages": {f"{name} ({extra})": _version(name) for name, extra in optional},
        "Trees": {"grower": find_compiled()},
        "Threads": {"CPU cores": joblib.cpu_count(), **_threads()},
    }
    for title, rows in sections.items():
        print(f"{title}:")
        for name, value in rows.items():
            print(f"    {name}: {value}")


def _requirements() -> tuple[list[str], list[tuple[str, str]]]:
    """Return the names of the required packages, and the optional ones with their extra."""
    required, optional = [], []
    for line in metadata.requires("tabrec") or []:
        name = re.split(r"[^\w.-]", line, maxsplit=1)[0]
        extra = re.search(r"extra\s*==\s*['\"]([\w.-]+)", line)
        if extra is None:
            required.append(name)
        elif extra[1] not in _DEVELOPMENT:
            optional.append((name, extra[1]))
    return sorted(required), sorted(optional)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _threads() -> dict[str, int]:
    """Return the number of threads of each library for parallel computing that is loaded."""
    return {f"{pool['user_api']} ({pool['prefix']})": pool["num_threads"] for pool in threadpoolctl.threadpool_info()}
