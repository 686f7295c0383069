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
_FLAGS = ["-std=c++17", "-O3", "-fPIC", "-shared", "-fvisibility=hidden", "-ffp-contract=off"]
_FLAGS += ["-fno-math-errno", "-fno-trapping-math", "-Wno-psabi"]
_FLAGS += ["-static"] if os.name == "nt" else []
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
        for path in (Path(self.root) / _FOLDER).glob("_grower.*"):
            path.unlink()


def _compile(folder: Path) -> list[Path]:
    """Compile one file for each instruction set; those that are newer than the sources stay as they are."""
    newest = max(path.stat().st_mtime for path in [*folder.glob("*.?pp"), Path(__file__)])
    suffix = ".dll" if os.name == "nt" else ".so"
    # A second dot in the name keeps tools that walk a package from importing the file as a module.
    wanted = {folder / f"_grower.{level}{suffix}": flags for level, flags in _levels().items()}
    outdated = {path: flags for path, flags in wanted.items() if not path.exists() or path.stat().st_mtime < newest}
    failed = _compile_all(folder / "grower.cpp", outdated) if outdated else []
    return [path for path in wanted if path not in failed]


def _levels() -> dict[str, list[str]]:
    if platform.machine().lower() in {"x86_64", "amd64"} and "arm64" not in os.environ.get("ARCHFLAGS", ""):
        return {"baseline": [], "avx2": ["-mavx2", "-mpopcnt"]}
    return {"baseline": []}


def _compile_all(source: Path, flags_of: dict[Path, list[str]]) -> list[Path]:
    """Compile the given files at the same time; return those that failed."""
    given = os.environ.get("CXX")
    compiler = shlex.split(given) if given else [next(filter(shutil.which, _COMPILERS), "")]
    if not shutil.which(compiler[0]):
        found = f"CXX={given} is not found" if given else "there is no C++ compiler"
        print(f"tabrec: {found}, so scikit-learn's builder will grow the trees.", file=sys.stderr)
        return list(flags_of)
    runs = {path: _Run([*compiler, *_FLAGS, *flags, str(source)], path) for path, flags in flags_of.items()}
    return [path for path, run in runs.items() if not run.succeeds()]


class _Run:
    """A compiler at work."""

    def __init__(self, command: list[str], path: Path):
        # Another installation from the same folder may be at work.
        self.path, self.unfinished = path, path.with_name(f"{path.name}.{os.getpid()}")
        self.command = [*command, *shlex.split(os.environ.get("ARCHFLAGS", "")), "-o", str(self.unfinished)]
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def succeeds(self) -> bool:
        output, _ = self.process.communicate()
        if self.process.returncode:
            print(f"tabrec: {shlex.join(self.command)} failed:\n{output}", file=sys.stderr)
            self.unfinished.unlink(missing_ok=True)
            return False
        self.unfinished.replace(self.path)
        return True
