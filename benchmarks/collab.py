"""Errors and times of recommenders on the official folds of MovieLens 100k, compared with fastai and Surprise.

    TABREC_DATA_DIR=/path/to/data python benchmarks/collab.py --fastai-python /path/to/fastai-env/bin/python \\
        --surprise-python /path/to/surprise-env/bin/python --json benchmarks/results/collab-cpu.json

The folder holds ``ml-100k``, unpacked or zipped. The interpreters are those of environments with ``pip install
fastai`` and ``pip install scikit-surprise``; packages without an interpreter are skipped. The RMSE is over all test
ratings, including those of unknown films. Every model is fitted in a new process with the same number of threads
(`--threads`); the processes alternate. A fit starts from the frame of ratings in memory; its median seconds are of u1.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from _timing import Run, describe_machine, markdown_table, note, ratio, run_in_turn, run_worker, spread, worker_command

# Best known settings, selected on folds u2 and u3.
BEST_DOT: dict[str, Any] = {"n_history": 32}
BEST_BAYES: dict[str, Any] = {"n_factors": 16}

BIASES = "biases only"
_OURS_SCRIPT, _FASTAI_SCRIPT = "_worker_collab.py", "_worker_collab_fastai.py"
_SURPRISE_SCRIPT = "_worker_collab_surprise.py"


def _ours(name: str, *, features: bool = False, **parameters: Any) -> dict[str, Any]:
    return {"class": name, "features": features, "parameters": parameters}


OURS: dict[str, dict[str, Any]] = {
    "tabrec DotProductBias, ids only": _ours("DotProductBias"),
    "tabrec DotProductBias, best setting, features": _ours("DotProductBias", features=True, **BEST_DOT),
    "tabrec EmbeddingNN, ids only": _ours("EmbeddingNN"),
    "tabrec EmbeddingNN, features": _ours("EmbeddingNN", features=True),
    "tabrec BayesianFactorization, ids only": _ours("BayesianFactorization"),
    "tabrec BayesianFactorization, features": _ours("BayesianFactorization", features=True),
    "tabrec BayesianFactorization, best setting, features": _ours("BayesianFactorization", features=True, **BEST_BAYES),
}
FASTAI = {"fastai EmbeddingDotBias": "dot", "fastai EmbeddingNN": "nn"}
SURPRISE = {"Surprise SVD": "SVD", "Surprise SVDpp": "SVDpp"}

# (fold, seed) -> runs
Runs = dict[str, dict[tuple[int, int], list[Run]]]


def main() -> None:
    """Run the workers and print the report."""
    arguments = _parse_arguments()
    for library in ("OMP", "MKL", "OPENBLAS"):
        os.environ[f"{library}_NUM_THREADS"] = str(arguments.threads)
    runs: Runs = {}
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        (folder / "setup.json").write_text(json.dumps({"ours": OURS}))
        for fold in sorted({*arguments.folds, *arguments.other_folds}):
            run_worker(worker_command(sys.executable, _OURS_SCRIPT, "write", folder, fold))
            # Only u1 has more than one seed.
            for seed in arguments.seeds if fold == 1 else arguments.seeds[:1]:
                note(f"u{fold}, seed {seed}")
                commands = _commands(arguments, folder, fold, seed)
                for name, found in run_in_turn(commands, arguments.repeats).items():
                    runs.setdefault(name, {})[fold, seed] = found
    _check_threads(runs, arguments.threads)
    versions = _versions(runs)
    print(f"MovieLens 100k, threads: {arguments.threads}; mean ± standard deviation of seeds on u1, ", end="")
    print(f"and times: median (min–max) of {len(arguments.seeds) * arguments.repeats} fits\n")
    print(f"{describe_machine(**versions)}\n")
    print(_table(runs))
    if arguments.json:
        _write_json(arguments, versions, runs)


def _commands(arguments: argparse.Namespace, folder: Path, fold: int, seed: int) -> dict[str, list[str]]:
    commands = {BIASES: worker_command(sys.executable, _OURS_SCRIPT, "biases", folder, fold, BIASES, seed)}
    for name in OURS:
        commands[name] = worker_command(sys.executable, _OURS_SCRIPT, "recommend", folder, fold, name, seed)
    for python, script, models in (
        (arguments.fastai_python, _FASTAI_SCRIPT, FASTAI),
        (arguments.surprise_python, _SURPRISE_SCRIPT, SURPRISE),
    ):
        if python:
            for name, model in models.items():
                commands[name] = worker_command(python, script, model, folder, fold, seed)
    return {name: command for name, command in commands.items() if _is_wanted(arguments, name, fold)}


def _is_wanted(arguments: argparse.Namespace, name: str, fold: int) -> bool:
    if arguments.only and not any(part in name for part in arguments.only):
        return False
    is_on_all = name == BIASES or "BayesianFactorization" in name
    return fold in (arguments.folds if is_on_all else arguments.other_folds)


def _check_threads(runs: Runs, threads: int) -> None:
    for name, by_fold in runs.items():
        for found in by_fold.values():
            for run in found:
                if run.values.get("threads", threads) != threads:
                    raise SystemExit(f"{name} must run on {threads} threads; it ran on {run.values['threads']}.")


def _versions(runs: Runs) -> dict[str, dict[str, str]]:
    return {
        name.split()[0]: next(iter(by_fold.values()))[0].versions for name, by_fold in runs.items() if name != BIASES
    }


def _table(runs: Runs) -> str:
    has_folds = any(fold != 1 for by_fold in runs.values() for fold, _ in by_fold)
    peers = [name for name in FASTAI if name in runs]
    header = ["", "RMSE, u1", *(["mean RMSE, u1–u5"] if has_folds else []), "in the 90 % interval, u1", "fit, s"]
    header += ["CPU, s", *(f"fit ÷ fit of {name}" for name in peers)]
    timed = {name: _first_fold(by_fold) for name, by_fold in runs.items()}
    rows = []
    for name, by_fold in runs.items():
        fits = timed[name]
        row: list[object] = [name, _format_rmse(by_fold)]
        if has_folds:
            row.append(_format_mean_rmse(by_fold))
        has_interval = fits and "coverage" in fits[0].values
        row.append(f"{statistics.mean(run.values['coverage'] for run in fits):.1%}" if has_interval else "")
        row += [spread(fits, value) if fits else "" for value in ("fit", "cpu")]
        for peer in peers:
            is_shown = fits and timed[peer] and peer != name
            row.append(ratio(spread(fits, "fit"), spread(timed[peer], "fit")) if is_shown else "")
        rows.append(row)
    return markdown_table(header, rows)


def _first_fold(by_fold: dict[tuple[int, int], list[Run]]) -> list[Run]:
    return [run for (fold, _), found in by_fold.items() for run in found if fold == 1]


def _rmses(by_fold: dict[tuple[int, int], list[Run]], fold: int) -> list[float]:
    """Return mean and standard deviation of the errors over seeds."""
    return [found[0].values["rmse"] for (found_fold, _), found in by_fold.items() if found_fold == fold]


def _format_rmse(by_fold: dict[tuple[int, int], list[Run]]) -> str:
    errors = _rmses(by_fold, 1)
    if len(set(errors)) < 2:
        return f"{errors[0]:.4f}" if errors else ""
    return f"{statistics.mean(errors):.4f} ± {statistics.stdev(errors):.4f}"


def _format_mean_rmse(by_fold: dict[tuple[int, int], list[Run]]) -> str:
    """Return the mean error over the five folds if all of them were run."""
    folds = [_rmses(by_fold, fold) for fold in range(1, 6)]
    return f"{statistics.mean(map(statistics.mean, folds)):.4f}" if all(folds) else ""


def _write_json(arguments: argparse.Namespace, versions: dict[str, dict[str, str]], runs: Runs) -> None:
    """Write all measurements and a description of the machine."""
    figures = [
        {"model": name, "fold": fold, "seed": seed, "runs": [asdict(run)["values"] for run in found]}
        for name, by_fold in runs.items()
        for (fold, seed), found in by_fold.items()
    ]
    results = {"threads": arguments.threads, "repeats": arguments.repeats, "machine": describe_machine().splitlines()}
    results |= {"versions": versions, "ours": OURS, "figures": figures}
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(results, indent=2) + "\n")


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    folds = {"type": int, "nargs": "+", "choices": range(1, 6)}
    parser.add_argument("--fastai-python", help="interpreter of an environment with fastai")
    parser.add_argument("--surprise-python", help="interpreter of an environment with scikit-surprise")
    parser.add_argument("--folds", **folds, default=[1, 2, 3, 4, 5], help="folds of biases and BayesianFactorization")
    parser.add_argument("--other-folds", **folds, default=[1], help="folds of the other models")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0, 1, 2], help="seeds on u1, of which other folds use the first"
    )
    parser.add_argument("--repeats", type=int, default=1, help="repeats of each seed")
    parser.add_argument("--threads", type=int, default=2, help="threads of each process")
    parser.add_argument("--only", nargs="+", help="models whose names contain one of these texts")
    parser.add_argument("--json", type=Path, help="output file of the measurements")
    arguments = parser.parse_args()
    if not os.environ.get("TABREC_DATA_DIR"):
        parser.error("TABREC_DATA_DIR must name the folder with ml-100k; see --help.")
    return arguments


if __name__ == "__main__":
    main()
