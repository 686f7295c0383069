"""Stages of a fit on Ray: one and two workers of one thread beside files in this process, and workers that are killed.

    python benchmarks/scale_ray.py --folder path/to/auctions

Generated auctions in parquet, of 20 columns, are read by the workers. For every stage: wall seconds and seconds of all
processors, those of the workers included; the efficiency of two workers, the wall seconds of one over twice those of
two, and by the processors, the seconds of one over those of two, which other work on the machine changes less; and the
overhead of Ray, the seconds of one worker over those of files. Then a worker is killed twice in every stage, and the
results are compared. Measure on a quiet machine with at least three cores: one process waits and merges.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _timing import describe_machine, markdown_table, note, run_worker, worker_command
from scale import _COLUMNS as COLUMNS

_STAGES = ("encoding", "forest", "predictions", "net")


def write_files(folder: Path, n_files: int) -> None:
    """Generate the files that are not there yet."""
    from tabrec.datasets import make_auctions

    folder.mkdir(parents=True, exist_ok=True)
    for number in range(n_files):
        path = folder / f"{number:03d}.parquet"
        if not path.exists():
            make_auctions(250_000, random_state=number)[COLUMNS].to_parquet(path, row_group_size=62_500, index=False)


def cpu_seconds() -> float:
    """Seconds of the processors that this process and those that it started have used."""
    import psutil

    me, total = psutil.Process(), 0.0
    for process in [me, *me.children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def die_twice(marks: str, frame: pd.DataFrame) -> pd.DataFrame:
    """End the process at the first two frames that it is given, whoever asks."""
    for number in range(2):
        try:
            Path(marks, str(number)).touch(exist_ok=False)
        except FileExistsError:
            continue
        os._exit(1)
    return frame


@contextmanager
def open_chunks(folder: str, workers: int, marks: str | None) -> Iterator[Any]:
    """The table, by the given number of workers of Ray, or by this process if it is 0."""
    from tabrec.scale import FileChunks, RayChunks, cluster

    files = FileChunks(folder, chunk_rows=62_500)
    if not workers:
        yield files
        return
    with cluster(workers=workers):
        chunks = RayChunks.of_files(files)
        yield chunks if marks is None else chunks.apply(partial(die_twice, marks))


def work(folder: str, workers: int, faulty: bool) -> None:
    """Run every stage and print the measurements, in a separate process."""
    from tabrec import ForestRegressor, TabularPreprocessor, TabularRegressor
    from tabrec.scale import RayTrainer, predict_to

    values: dict[str, Any] = {}
    temporary = tempfile.TemporaryDirectory()
    marks = Path(temporary.name) / "marks"
    marks.mkdir()
    out = Path(temporary.name) / "predictions.parquet"
    with open_chunks(folder, workers, str(marks) if faulty else None) as sales:
        if not faulty:
            sales.select(["YearMade"]).count_rows()
            if workers:  # workers start and import the package
                list(sales.map_parts(_import_all))

        def timed(stage: str, run: Callable[[], Any]) -> Any:
            for mark in marks.iterdir():
                mark.unlink()
            started, used = time.perf_counter(), cpu_seconds()
            result = run()
            values[stage] = time.perf_counter() - started
            values[f"{stage}_cpu"], values[f"{stage}_lost"] = cpu_seconds() - used, len(list(marks.iterdir()))
            return result

        sample = sales.head(2_000).drop(columns="SalePrice") if not faulty else None
        encoder = timed("encoding", lambda: TabularPreprocessor().fit(sales.drop(["SalePrice"])))
        model = ForestRegressor(20, random_state=0, n_jobs=1, verbose=0, oob_score=False, max_samples=20_000)
        timed("forest", lambda: model.fit(sales, "log(SalePrice)"))
        timed("predictions", lambda: predict_to(out, model, sales, keep=["SalesID"]))
        options = {"n_members": None, "epochs": 1, "batch_size": 4096, "device": "cpu", "random_state": 0, "verbose": 0}
        if workers and not faulty:
            options["trainer"] = partial(RayTrainer, workers=workers)
        net = TabularRegressor((50,), n_nets=1, **options)
        timed("net", lambda: net.fit(sales, "log(SalePrice)"))
        written = pd.read_parquet(out)
        digest = hashlib.sha256(np.ascontiguousarray(written.to_numpy(np.float64))).hexdigest()[:12]
        values |= {"digest": digest, "left": len(list(Path(temporary.name).iterdir())) - 2}
        values["n_labels"] = sum(map(len, encoder.categories_.values()))
        del sample
    print(json.dumps({"values": values, "versions": {}}))
    temporary.cleanup()


def _import_all(part: Any, start: int) -> int:
    from tabrec import ForestRegressor, TabularRegressor  # noqa: F401

    return start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("auctions-ray"))
    parser.add_argument("--files", type=int, default=4)
    options = parser.parse_args()
    write_files(options.folder, options.files)
    runs = {}
    for name, workers, faulty in (("files", 0, 0), ("1", 1, 0), ("2", 2, 0), ("2, killed", 2, 1)):
        command = worker_command(sys.executable, "scale_ray.py", "--worker", options.folder, workers, faulty)
        runs[name] = run_worker(command).values
        note(f"{name}: {runs[name]}")
    rows = []
    for stage in _STAGES:
        files, one, two, killed = (runs[name] for name in runs)
        cpu = f"{stage}_cpu"
        rows.append(
            [
                stage,
                *(f"{run[stage]:.1f} / {run[cpu]:.1f}" for run in (files, one, two, killed)),
                f"{one[stage] / (2 * two[stage]):.2f} / {one[cpu] / two[cpu]:.2f}",
                f"{one[stage] / files[stage]:.2f} / {one[cpu] / files[cpu]:.2f}",
                f"{killed[f'{stage}_lost']:.0f}",
            ]
        )
    print(describe_machine())
    names = ["wall / processor s", "files", "1 worker", "2 workers", "2 workers, killed"]
    print(markdown_table([*names, "efficiency of 2", "overhead of Ray", "workers killed"], rows))
    print("predictions:", {name: run["digest"] for name, run in runs.items()}, "files left:", runs["2, killed"]["left"])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        work(sys.argv[2], int(sys.argv[3]), bool(int(sys.argv[4])))
    else:
        main()
