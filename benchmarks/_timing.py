"""Measure workers: each in a fresh process, several times, in turn, so that the machine's drift hits all of them.

Only the standard library is used, for two reasons: a worker may run in an environment of its own, and a process
starts out with the peak memory of the one that started it, so the one that starts them has to stay small.
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
    """What a worker measures, printed as one line of JSON for `run_worker` to read.

    Make it right after the imports: the memory that these took is noted as ``imports_mib``.
    """

    def __init__(self) -> None:
        self.values = {"imports_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT / _MIB}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Note the wall seconds of the block under `name`."""
        start = time.perf_counter()
        yield
        self.values[name] = time.perf_counter() - start

    def report(self, *packages: str) -> None:
        """Print the values, with the versions of Python and of the packages."""
        versions = {"python": platform.python_version(), **{name: version(name) for name in packages}}
        print(json.dumps({"values": self.values, "versions": versions}))


@dataclass
class Run:
    """One run of a worker: its values, with ``peak_mib`` among them, and the versions it ran on."""

    values: dict[str, float]
    versions: dict[str, str]


@dataclass
class Spread:
    """Median, least and most of one value over the repeats."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        digits = 0 if self.median >= 100 else 2
        return f"{self.median:,.{digits}f} ({self.least:,.{digits}f}–{self.most:,.{digits}f})"


def run_worker(command: Sequence[str]) -> Run:
    """Run a worker in a fresh process; ``peak_mib`` is the most memory that this process ever held."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)}\nended with {process.returncode}:\n{err.read()}")
        report = json.loads(out.read().splitlines()[-1])
    return Run(report["values"] | {"peak_mib": usage.ru_maxrss * _MAXRSS_UNIT / _MIB}, report["versions"])


def run_in_turn(commands: dict[str, list[str]], repeats: int) -> dict[str, list[Run]]:
    """Run every worker once, then every worker again, `repeats` times: A, B, A, B, ..."""
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for repeat in range(1, repeats + 1):
        for name, command in commands.items():
            start = time.perf_counter()
            runs[name].append(run_worker(command))
            note(f"{repeat}/{repeats} {name}: {time.perf_counter() - start:.1f} s in all")
    return runs


def worker_command(python: str, script: str, *arguments: object) -> list[str]:
    """Return the command that runs a script of this folder."""
    return [python, str(Path(__file__).with_name(script)), *map(str, arguments)]


def spread(runs: list[Run], *names: str) -> Spread:
    """Return the spread over the runs of a value, or of the sum of several."""
    totals = [sum(run.values[name] for name in names) for run in runs]
    return Spread(statistics.median(totals), min(totals), max(totals))


def ratio(numerator: Spread, denominator: Spread) -> str:
    """Return how many times the one median is the other."""
    return f"{numerator.median / denominator.median:.2f}×"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table as markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def describe_machine(**versions: dict[str, str]) -> str:
    """Return a line on the machine, and one on each set of versions."""
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
    """Tell on stderr how far things are; stdout is for the report."""
    print(message, file=sys.stderr, flush=True)
