"""Run workers repeatedly in new processes that alternate, so that a drift of the machine affects all of them alike.

This module uses only the standard library: a worker may run in a separate environment, and a process inherits the peak
memory of its parent process, which therefore has to stay small.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, KiB elsewhere
_MIB = 2**20


class Stopwatch:
    """Measurements of a worker, printed as one line of JSON that `run_worker` reads.

    Create it directly after the imports: their memory is recorded as ``imports_mib``.
    """

    def __init__(self) -> None:
        self.values = {"imports_mib": peak_mib()}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Record the wall seconds of the block under `name`."""
        start = time.perf_counter()
        yield
        self.values[name] = time.perf_counter() - start

    def report(self, *packages: str) -> None:
        """Print the values and the versions of Python and the packages."""
        versions = {"python": platform.python_version(), **{name: version(name) for name in packages}}
        print(json.dumps({"values": self.values, "versions": versions}))


def peak_mib() -> float:
    """Peak memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT / _MIB


@dataclass
class Run:
    """One run of a worker: its values, including ``peak_mib``, and the versions of its packages."""

    values: dict[str, float]
    versions: dict[str, str]


@dataclass
class Spread:
    """Median, minimum and maximum of one value over the repeats."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        digits = 0 if self.median >= 100 else 2
        return f"{self.median:,.{digits}f} ({self.least:,.{digits}f}–{self.most:,.{digits}f})"


def run_worker(command: Sequence[str]) -> Run:
    """Run a worker in a new process; ``peak_mib`` is the peak memory of that process."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)}\nexited with code {process.returncode}:\n{err.read()}")
        report = json.loads(out.read().splitlines()[-1])
    return Run(report["values"] | {"peak_mib": usage.ru_maxrss * _MAXRSS_UNIT / _MIB}, report["versions"])


def run_in_turn(commands: dict[str, list[str]], repeats: int) -> dict[str, list[Run]]:
    """Run all workers `repeats` times, alternating between them: A, B, A, B, ..."""
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for repeat in range(1, repeats + 1):
        for name, command in commands.items():
            start = time.perf_counter()
            runs[name].append(run_worker(command))
            note(f"{repeat}/{repeats} {name}: {time.perf_counter() - start:.1f} s in total")
    return runs


def worker_command(python: str, script: str, *arguments: object) -> list[str]:
    """Return the command that runs a script of this folder."""
    return [python, str(Path(__file__).with_name(script)), *map(str, arguments)]


def spread(runs: list[Run], *names: str) -> Spread:
    """Return the spread over the runs of a value, or of the sum of several values."""
    totals = [sum(run.values[name] for name in names) for run in runs]
    return Spread(statistics.median(totals), min(totals), max(totals))


def ratio(numerator: Spread, denominator: Spread) -> str:
    """Return the ratio of two medians."""
    return f"{numerator.median / denominator.median:.2f}×"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def describe_machine(**versions: dict[str, str]) -> str:
    """Return one line about the machine and one for each set of versions."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    lines = [f"{_cpu_model()}, {cores} cores, {memory:.0f} GiB of memory, {platform.system()}"]
    lines += [
        f"{name}: {', '.join(f'{key} {value}' for key, value in found.items())}" for name, found in versions.items()
    ]
    return "\n".join(f"- {line}" for line in lines)


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def note(message: str) -> None:
    """Print progress to stderr; stdout contains only the report."""
    print(message, file=sys.stderr, flush=True)
