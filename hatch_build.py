"""Compiles the tree grower when the package is installed or built; without a C++ compiler it is left out.

scikit-learn's builder takes over where the compiled grower is absent. `TABREC_BUILD=0` leaves it out, `TABREC_BUILD=1`
makes a failed compilation an error, and `CXX` names the compiler.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_FOLDER = Path("tabrec", "trees", "grower")
# The order of operations is that of the source on every processor, so that the same seed gives the same forest.
_FLAGS = ["-std=c++17", "-O2", "-ftree-vectorize", "-fPIC", "-shared", "-fvisibility=hidden", "-ffp-contract=off"]
_FLAGS += ["-fno-math-errno", "-fno-trapping-math", "-Wno-psabi"]
_COMPILERS = ("c++", "g++", "clang++")


class CustomBuildHook(BuildHookInterface):
    """Adds the compiled files to the wheel, or leaves them next to the sources of an editable installation."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        wanted = os.environ.get("TABREC_BUILD", "")
        built = [] if wanted == "0" else _compile(Path(self.root) / _FOLDER)
        if wanted == "1" and not built:
            raise RuntimeError("TABREC_BUILD=1, but the tree grower was not compiled; see the messages above.")
        if built and version != "editable":
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
            build_data["force_include"].update({str(path): str(_FOLDER / path.name) for path in built})

    def clean(self, versions: list[str]) -> None:
        for path in (Path(self.root) / _FOLDER).glob("_grower_*"):
            path.unlink()


def _compile(folder: Path) -> list[Path]:
    """Compile one file for each instruction set; those that are newer than the sources stay as they are."""
    newest = max(path.stat().st_mtime for path in [*folder.glob("*.?pp"), Path(__file__)])
    built = []
    for level, flags in _levels().items():
        path = folder / f"_grower_{level}{'.dll' if os.name == 'nt' else '.so'}"
        if (path.exists() and path.stat().st_mtime >= newest) or _compile_one(folder, path, flags):
            built.append(path)
    return built


def _levels() -> dict[str, list[str]]:
    if platform.machine().lower() in {"x86_64", "amd64"} and "arm64" not in os.environ.get("ARCHFLAGS", ""):
        return {"baseline": [], "avx2": ["-mavx2", "-mpopcnt"]}
    return {"baseline": []}


def _compile_one(folder: Path, path: Path, flags: list[str]) -> bool:
    given = os.environ.get("CXX")
    compiler = shlex.split(given) if given else [next(filter(shutil.which, _COMPILERS), "")]
    if not compiler[0]:
        print("tabrec: there is no C++ compiler, so scikit-learn's builder will grow the trees.", file=sys.stderr)
        return False
    # Another installation from the same folder may be at work.
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    flags = [*_FLAGS, *flags, *shlex.split(os.environ.get("ARCHFLAGS", ""))]
    flags += ["-static"] if os.name == "nt" else []
    command = [*compiler, *flags, str(folder / "grower.cpp"), "-o", str(unfinished)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        print(f"tabrec: {' '.join(command)} did not run: {error}", file=sys.stderr)
        return False
    if done.returncode:
        print(f"tabrec: {' '.join(command)} failed:\n{done.stderr}", file=sys.stderr)
        return False
    unfinished.replace(path)
    return True
