"""Seconds and peak memory of forests on encoded tables, compared with scikit-learn, LightGBM and XGBoost.

    TABREC_DATA_DIR=/path/to/data python benchmarks/forest.py [speed] [--tables auctions,adult] [--rows 412698]
    TABREC_DATA_DIR=/path/to/data python benchmarks/forest.py quality [--trees 100] [--seeds 5]

``speed`` encodes a table once and fits all forests to the same rows, columns and float32 values with the same
parameters, in new processes that alternate. `tabrec` takes the encoded frame, the others take the array. Predictions
are those of the same trees, by `tabrec` and by scikit-learn. Packages that are not installed are left out. The report
starts with the memory of the encoded frame by dtype; the command fails if the frame has a float64 or object column.

``quality`` fits the forests of `tabrec` and scikit-learn with several seeds to the 13 tables of `suite.py`, and reports
the ratio of their errors on the test rows.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from math import exp, log, nan, sqrt
from pathlib import Path
from statistics import mean, stdev

from _timing import Run, describe_machine, markdown_table, note, ratio, run_in_turn, run_worker, spread, worker_command

_FORBIDDEN_DTYPES = ("float64", "object")
_PEERS = {"LightGBM": "lightgbm", "XGBoost": "xgboost"}
_LINES = {
    "**fit, s of processor**": "fit",
    "**fit with out-of-bag predictions, s of processor**": "fit_oob",
    "**peak memory of fits, MiB**": "fit_peak_mib",
    "of which imports, MiB": "imports_mib",
    "out-of-bag score": "oob_score",
}


def main() -> None:
    """Run the mode that the arguments name."""
    arguments = _parse_arguments()
    modes: dict[str, Callable[[argparse.Namespace], None]] = {"speed": _speed, "quality": _quality}
    modes[arguments.mode](arguments)


def _speed(arguments: argparse.Namespace) -> None:
    for table in (arguments.tables or "auctions").split(","):
        with tempfile.TemporaryDirectory() as scratch:
            _compare_speed(table, Path(scratch) / table, arguments)


def _compare_speed(table: str, folder: Path, arguments: argparse.Namespace) -> None:
    encoding = _encode(table, folder, arguments.rows)
    n_rows = int(encoding.values["n_rows"])
    sizes = arguments.trees, min(arguments.max_samples, n_rows), arguments.leaf, arguments.jobs
    models = ["tabrec", "scikit-learn", *(name for name, package in _PEERS.items() if find_spec(package))]
    runs = run_in_turn({model: _command("fit", folder, model, *sizes) for model in models}, arguments.repeats)
    walks = run_in_turn({"": _command("predict", folder, 100, *sizes[1:])}, arguments.repeats)[""]
    print(f"\n## {table}: {n_rows:,} rows × {encoding.values['n_columns']:.0f} columns, ", end="")
    print(f"{sizes[0]} trees of {sizes[1]:,} rows, leaves of {sizes[2]}, median (min–max) of {arguments.repeats}\n")
    print(describe_machine(both=encoding.versions), end="\n\n")
    print(_memory_table(encoding), end="\n\n")
    print(_fit_table(runs, walks), flush=True)
    _check_dtypes(encoding)


def _encode(table: str, folder: Path, n_rows: int) -> Run:
    folder.mkdir()
    encoding = run_worker(_command("encode", folder, table, n_rows))
    note(f"{table}: {encoding.values['n_rows']:,.0f} rows encoded")
    return encoding


def _command(task: str, folder: Path, *arguments: object) -> list[str]:
    return worker_command(sys.executable, "_worker_forest.py", task, folder, *arguments)


def _memory_table(encoding: Run) -> str:
    n_bytes = {
        name: value for name, value in encoding.values.items() if not name.endswith(("_mib", "_rows", "_columns"))
    }
    return markdown_table(
        ["dtype in the encoded frame", "MiB"], [[name, f"{value / 2**20:,.1f}"] for name, value in n_bytes.items()]
    )


def _fit_table(runs: dict[str, list[Run]], walks: list[Run]) -> str:
    rows = []
    for what, value in _LINES.items():
        cells = {model: spread(found, value) for model, found in runs.items() if value in found[0].values}
        shown = "" if value == "oob_score" else ratio(cells["tabrec"], cells["scikit-learn"])
        rows.append([what, *(cells.get(model, "") for model in runs), shown])
    ours, theirs = spread(walks, "predict_tabrec"), spread(walks, "predict_scikit-learn")
    padding = [""] * (len(runs) - 2)
    rows.append(["**predict by the same 100 trees, s of processor**", ours, theirs, *padding, ratio(ours, theirs)])
    return markdown_table(["", *runs, "tabrec ÷ scikit-learn"], rows)


def _check_dtypes(encoding: Run) -> None:
    wasted = {dtype: encoding.values[dtype] for dtype in _FORBIDDEN_DTYPES if encoding.values[dtype]}
    if wasted:
        raise SystemExit(
            f"The encoded frame must hold no {' or '.join(_FORBIDDEN_DTYPES)} columns; bytes found: {wasted}"
        )


def _quality(arguments: argparse.Namespace) -> None:
    from suite import TABLES

    rows, logs = [], []
    for table in arguments.tables.split(",") if arguments.tables else TABLES:
        with tempfile.TemporaryDirectory() as scratch:
            ratios = _error_ratios(table, Path(scratch) / table, arguments)
        logs.append(mean(map(log, ratios)))
        rows.append([table, f"{exp(logs[-1]):.4f}", f"{min(ratios):.4f}–{max(ratios):.4f}"])
        note(str(rows[-1]))
    centre = mean(logs)
    error = stdev(logs) / sqrt(len(logs)) if len(logs) > 1 else nan
    rows.append([f"geometric mean ± standard error ({len(logs)} tables)", f"{exp(centre):.4f} ± {error:.4f}", ""])
    print(f"{arguments.trees} trees, {arguments.seeds} seeds, half the columns, leaves of 2\n")
    print(markdown_table(["table", "error of tabrec ÷ scikit-learn", "by seed"], rows))


def _error_ratios(table: str, folder: Path, arguments: argparse.Namespace) -> list[float]:
    _encode(table, folder, 0)
    ratios = []
    for seed in range(arguments.seeds):
        errors = [
            run_worker(_command("error", folder, model, arguments.trees, seed)).values["error"]
            for model in ("tabrec", "scikit-learn")
        ]
        ratios.append(errors[0] / errors[1])
    return ratios


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", nargs="?", choices=("speed", "quality"), default="speed")
    parser.add_argument("--tables", help="auctions (the default of speed) or tables of suite.py")
    parser.add_argument("--rows", type=int, default=412_698, help="auctions to generate")
    parser.add_argument("--trees", type=int, default=20)
    parser.add_argument("--max-samples", type=int, default=200_000)
    parser.add_argument("--leaf", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=5)
    return parser.parse_args()


if __name__ == "__main__":
    main()
