"""Time and memory per rating of `DotProductBias` at 1 million and at 25 million ratings.

    python benchmarks/collab_scale.py --json benchmarks/results/collab-scale-cpu.json

`make_ratings` generates the ratings, the model trains for one epoch on the CPU, and 10 items are recommended to each of
10,000 users; users repeat if there are fewer. Every size runs in a new process. The peak memory is that of the whole
process, including the generation of the ratings, and is recorded after each step.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from _timing import Run, Stopwatch, describe_machine, markdown_table, run_in_turn, spread, worker_command

N_USERS, N_RECOMMENDED = 10_000, 10
_PER_MILLION = {
    "fit, s per million ratings": "fit",
    "of which reading ids and ratings": "reading",
    "of which training": "training",
    "of which the rest, including late imports of torch": "else",
}
_MEMORY = {
    "final peak memory, MiB": "peak_mib",
    "after the imports": "imports_mib",
    "after generating the ratings": "make_mib",
    "after the fit": "fit_mib",
    "frame of ratings alone": "frame_mib",
}


def work(n_ratings: int) -> None:
    """Generate ratings, fit, recommend, and print the measurements, in a separate process."""
    # Imported here because a process inherits the peak memory of its parent.
    import numpy as np
    import torch

    from tabrec import DotProductBias
    from tabrec.datasets import make_ratings

    class Timed(DotProductBias):
        """Records when ids and ratings have been read."""

        def _learn(self, context: Any) -> None:
            self.read_at = time.perf_counter()
            super()._learn(context)

    watch = Stopwatch()
    with watch.stage("make"):
        ratings = make_ratings(n_ratings, random_state=0)
    watch.values["frame_mib"] = ratings.memory_usage(deep=True).sum() / 2**20
    watch.values["make_mib"] = _peak_mib()
    model = Timed(epochs=1, device="cpu", random_state=0)
    start = time.perf_counter()
    with watch.stage("fit"):
        model.fit(ratings[["user", "item"]], ratings["rating"])
    watch.values["reading"] = model.read_at - start
    watch.values["training"] = float(model.history_["seconds"].sum())
    watch.values["else"] = watch.values["fit"] - watch.values["reading"] - watch.values["training"]
    watch.values["fit_mib"] = _peak_mib()
    users = np.random.default_rng(0).choice(model.users_, N_USERS, replace=len(model.users_) < N_USERS)
    with watch.stage("recommend"):
        model.recommend(users, N_RECOMMENDED, order="rating")
    watch.values |= {"ratings": n_ratings, "users": len(model.users_), "items": len(model.items_)}
    watch.values["threads"] = torch.get_num_threads()
    watch.report("tabrec", "torch", "pandas", "numpy")


def _peak_mib() -> float:
    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kib / 2**20 if sys.platform == "darwin" else kib / 1024  # bytes on macOS


def main() -> None:
    """Run all sizes, alternating between them, and print the report."""
    arguments = _parse_arguments()
    if arguments.worker:
        work(arguments.worker)
        return
    sizes = sorted(arguments.ratings)
    commands = {f"{n:,}": worker_command(sys.executable, Path(__file__).name, "--worker", n) for n in sizes}
    runs = run_in_turn(commands, arguments.repeats)
    first = next(iter(runs.values()))[0]
    machine = describe_machine(versions=first.versions)
    threads = int(first.values["threads"])
    print(f"DotProductBias, 1 epoch, device 'cpu', torch threads: {threads}; ", end="")
    print(f"median (min–max) of {arguments.repeats}\n\n{machine}\n")
    print(_table(runs), end="\n\n")
    peak = max(spread(found, "peak_mib").most for found in runs.values()) / 1024
    verdict = "is within" if peak <= arguments.limit else "EXCEEDS"
    print(f"The peak of {peak:.2f} GiB {verdict} the limit of {arguments.limit:g} GiB.")
    if arguments.json:
        results: dict[str, Any] = {"threads": threads, "repeats": arguments.repeats, "machine": machine.splitlines()}
        results["runs"] = {name: [asdict(run) for run in found] for name, found in runs.items()}
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")
    if peak > arguments.limit:
        raise SystemExit(1)


def _table(runs: dict[str, list[Run]]) -> str:
    """Return a table with a row per value, a column per size, and the ratio of the last column to the first."""
    found = list(runs.values())
    names = list(runs)
    rows: list[list[object]] = [["users", *(f"{int(run[0].values['users']):,}" for run in found), ""]]
    rows.append(["items", *(f"{int(run[0].values['items']):,}" for run in found), ""])
    rows.append(["generate the ratings, s", *(spread(run, "make") for run in found), ""])
    for line, value in _PER_MILLION.items():
        rows.append([line, *_lines([_per_million(run) for run in found], value)])
    rows.append([f"recommend({N_USERS:,} users, n={N_RECOMMENDED}), s", *_lines(found, "recommend")])
    for line, value in _MEMORY.items():
        rows.append([line, *_lines(found, value)])
    return markdown_table(["", *(f"{name} ratings" for name in names), f"{names[-1]} ÷ {names[0]}"], rows)


def _per_million(runs: list[Run]) -> list[Run]:
    scale = 1e6 / runs[0].values["ratings"]
    return [Run({name: value * scale for name, value in run.values.items()}, run.versions) for run in runs]


def _lines(found: list[list[Run]], value: str) -> list[object]:
    """Return the spread by size, and the ratio of the last median to the first."""
    spreads = [spread(runs, value) for runs in found]
    return [*spreads, f"{spreads[-1].median / spreads[0].median:.2f}×"]


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ratings", type=int, nargs="+", default=[1_000_000, 25_000_000], help="numbers of ratings")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--limit", type=float, default=8.0, help="maximum memory of a process in GiB")
    parser.add_argument("--json", type=Path, help="output file of the measurements")
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
