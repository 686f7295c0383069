"""Time and memory of recommenders of interactions at scale, with the CPU time of the process.

    python benchmarks/ranking_scale.py als --interactions 25_000_000 [--implicit-python /path/to/env/bin/python]
    python benchmarks/ranking_scale.py ease --interactions 2_000_000 --users 100_000 --items 20_000
    python benchmarks/ranking_scale.py recommend --users 1_000_000 --items 50_000 [--asked 100_000]

`als` compares the half steps of `ImplicitALS` with an iteration of implicit's `AlternatingLeastSquares` on the same
matrix, factors and threads. `ease` measures a fit and its peak memory. `recommend` writes ten items for each user to a
parquet file. Every command runs in one process; set OMP_NUM_THREADS.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch

from tabrec import EASE, ImplicitALS
from tabrec.collab.implicit_als_scorer import improve_rows
from tabrec.datasets import make_interactions

# Run by the interpreter of implicit's environment: the difference of three iterations and one, by two.
_IMPLICIT = """
import sys, time, os
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares
matrix, threads = sp.load_npz(sys.argv[1]), int(os.environ["OMP_NUM_THREADS"])
for use_cg in (True, False):
    seconds = []
    for iterations in (1, 3):
        options = {"iterations": iterations, "num_threads": threads, "use_cg": use_cg, "random_state": 0}
        model = AlternatingLeastSquares(int(sys.argv[2]), **options)
        cpu, wall = time.process_time(), time.perf_counter()
        model.fit(matrix, show_progress=False)
        seconds.append((time.process_time() - cpu, time.perf_counter() - wall))
    cpu, wall = ((b - a) / 2 for a, b in zip(*seconds))
    name = "conjugate gradient" if use_cg else "Cholesky"
    print(f"implicit, {name}: {cpu:.2f} s CPU, {wall:.2f} s wall an iteration", flush=True)
"""


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["als", "ease", "recommend"])
    parser.add_argument("--interactions", type=int, default=2_000_000)
    parser.add_argument("--users", type=int)
    parser.add_argument("--items", type=int)
    parser.add_argument("--factors", type=int, default=32)
    parser.add_argument("--asked", type=int, default=100_000, help="users to recommend to")
    parser.add_argument("--implicit-python", help="interpreter of an environment with implicit")
    arguments = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    {"als": time_als, "ease": time_ease, "recommend": time_recommend}[arguments.task](arguments)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


def time_als(arguments: argparse.Namespace) -> None:
    """One iteration, by both packages."""
    codes = [pd.factorize(column)[0] for _, column in make(arguments).items()]
    matrix = sp.csr_matrix((np.ones(len(codes[0]), dtype=np.float32), codes))
    by_item, rng = sp.csr_matrix(matrix.T), np.random.default_rng(0)
    print(f"{matrix.nnz:,} pairs of {matrix.shape[0]:,} users and {matrix.shape[1]:,} items")
    users, items = (
        torch.from_numpy(rng.normal(scale=0.1, size=(n, arguments.factors)).astype(np.float32)) for n in matrix.shape
    )
    cpu, wall = time.process_time(), time.perf_counter()
    users = improve_rows(matrix, items, 0.3 * items.T @ items, np.ones(len(users)), users)
    improve_rows(by_item, users, 0.3 * users.T @ users, np.ones(len(items)), items)
    print(
        f"tabrec: {time.process_time() - cpu:.2f} s CPU, {time.perf_counter() - wall:.2f} s wall an iteration",
        flush=True,
    )
    if arguments.implicit_python:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "matrix.npz"
            sp.save_npz(path, matrix, compressed=False)
            command = [arguments.implicit_python, "-c", _IMPLICIT, str(path), str(arguments.factors)]
            subprocess.run(command, check=True, env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": ""})


def time_ease(arguments: argparse.Namespace) -> None:
    """A fit."""
    clicks = make(arguments)
    cpu, wall = time.process_time(), time.perf_counter()
    model = EASE().fit(clicks)
    print(
        f"{len(model.items_):,} items: {time.process_time() - cpu:.1f} s CPU, {time.perf_counter() - wall:.1f} s wall"
    )


def time_recommend(arguments: argparse.Namespace) -> None:
    """Ten items for each user, from factors fitted in one iteration."""
    model = ImplicitALS(arguments.factors, n_iterations=1, random_state=0).fit(make(arguments))
    asked = model.users_[: arguments.asked]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    cpu, wall = time.process_time(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        model.recommend_all(Path(folder) / "all.parquet", users=asked)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(
        f"{len(asked):,} of {len(model.users_):,} users, {len(model.items_):,} items: {len(asked) / cpu:,.0f} users a "
        f"second of CPU, {len(asked) / wall:,.0f} of wall time; peak memory before {before:.2f} GiB"
    )


def make(arguments: argparse.Namespace) -> pd.DataFrame:
    """Users and items of generated clicks."""
    clicks = make_interactions(arguments.interactions, n_users=arguments.users, n_items=arguments.items, random_state=0)
    return clicks[["user", "item"]]


if __name__ == "__main__":
    main()
