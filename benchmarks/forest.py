"""Seconds and peak memory of a forest with out-of-bag predictions, compared with scikit-learn on the same values.

    python benchmarks/forest.py

The auctions are generated and encoded once. Both forests are fitted to the same rows, columns and float32 values with
the same parameters, in new processes that alternate. `tabrec.ForestRegressor` takes the encoded frame and
`RandomForestRegressor` the array. The report starts with the memory of the encoded frame by dtype; the command fails if
the frame has a float64 or object column.
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
    "of which imports, MiB": "imports_mib",
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
    print(f"{arguments.rows:,} synthetic auctions, {arguments.trees} trees of {max_samples:,} rows, ", end="")
    print(f"median (min–max) of {arguments.repeats}\n")
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
