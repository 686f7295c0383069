"""Fit a forest with out-of-bag predictions: seconds and peak memory, beside scikit-learn's own on the same numbers.

    python benchmarks/forest.py

The auctions are made and encoded once; both forests fit the same rows, columns and float32 values with the same
parameters, each fit in a fresh process, in turn. `tabrec.ForestRegressor` gets the encoded frame,
`RandomForestRegressor` the array. The report begins with the encoded frame's memory by dtype, and the command fails
where a float64 or object column is left in it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile

from _timing import Run, describe_machine, markdown_table, note, ratio, run_in_turn, run_worker, spread, worker_command

_FORBIDDEN_DTYPES = ("float64", "object")
_LINES = {
    "**fit with out-of-bag predictions, s**": "fit",
    "**peak memory, MiB**": "peak_mib",
    "of that the imports, MiB": "imports_mib",
    "out-of-bag R²": "oob_r2",
}


def main() -> None:
    """Encode the table, run the workers, print the report."""
    arguments = _parse_arguments()
    max_samples = min(arguments.max_samples, arguments.rows)
    with tempfile.TemporaryDirectory() as folder:
        encoding = run_worker(worker_command(sys.executable, "_worker_forest.py", "encode", folder, arguments.rows))
        note(f"{arguments.rows:,} auctions encoded")
        commands = {
            name: worker_command(sys.executable, "_worker_forest.py", name, folder, arguments.trees, max_samples)
            for name in ("tabrec", "sklearn")
        }
        runs = run_in_turn(commands, arguments.repeats)
    print(f"{arguments.rows:,} made auctions, {arguments.trees} trees of {max_samples:,} rows, ", end="")
    print(f"median (least–most) of {arguments.repeats}\n")
    print(describe_machine(both=encoding.versions), end="\n\n")
    print(_memory_table(encoding), end="\n\n")
    print(_fit_table(runs))
    _check_dtypes(encoding)


def _memory_table(encoding: Run) -> str:
    n_bytes = {name: value for name, value in encoding.values.items() if not name.endswith("_mib")}
    return markdown_table(
        ["dtype in the encoded frame", "MiB"], [[name, f"{value / 2**20:,.1f}"] for name, value in n_bytes.items()]
    )


def _fit_table(runs: dict[str, list[Run]]) -> str:
    rows = []
    for what, value in _LINES.items():
        ours, theirs = spread(runs["tabrec"], value), spread(runs["sklearn"], value)
        rows.append([what, ours, theirs, "" if value == "oob_r2" else ratio(ours, theirs)])
    return markdown_table(["", "tabrec", "scikit-learn", "tabrec ÷ scikit-learn"], rows)


def _check_dtypes(encoding: Run) -> None:
    wasted = {dtype: encoding.values[dtype] for dtype in _FORBIDDEN_DTYPES if encoding.values[dtype]}
    if wasted:
        raise SystemExit(
            f"The encoded frame must hold no {' or '.join(_FORBIDDEN_DTYPES)} columns; bytes found: {wasted}"
        )


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=412_698)
    parser.add_argument("--trees", type=int, default=20)
    parser.add_argument("--max-samples", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=5)
    return parser.parse_args()


if __name__ == "__main__":
    main()
