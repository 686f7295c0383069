"""Seconds, peak memory and latency of one row from a CSV file to an encoded frame, compared with fastai.

    python benchmarks/preprocess.py --fastai-python /path/to/fastai-env/bin/python

`--fastai-python` is the interpreter of an environment with ``pip install fastai``; without it only tabrec is measured.
The table is `make_auctions(rows)` with 53 columns, written once to a temporary CSV file that all workers read. Every
measurement is the median over new processes that alternate.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from _timing import Run, describe_machine, markdown_table, note, ratio, run_in_turn, run_worker, spread, worker_command

_FASTAI_ENCODE = ("add_datepart", "TabularPandas")

# label | values of the tabrec worker | values of the fastai worker; several values are summed
_LINES = {
    "read the CSV file, s": (("tabrec", "read"), ("fastai", "read_csv")),
    "encode the frame, s": (("tabrec", "encode"), ("fastai", *_FASTAI_ENCODE)),
    "**CSV → encoded, s**": (("tabrec", "read", "encode"), ("fastai", "read_csv", *_FASTAI_ENCODE)),
    "**fit_transform alone, on the frame of pandas.read_csv, s**": (
        ("tabrec, from pandas", "encode_from_pandas"),
        ("fastai", *_FASTAI_ENCODE),
    ),
    "**peak memory, CSV → encoded, MiB**": (("tabrec", "peak_mib"), ("fastai", "peak_mib")),
    "of which imports, MiB": (("tabrec", "imports_mib"), ("fastai", "imports_mib")),
    "**one row, ms**": (("tabrec, from pandas", "one_row_ms"), ("fastai, rows", "one_row_ms")),
    "one row, fastai through test_dl, ms": (
        ("tabrec, from pandas", "one_row_ms"),
        ("fastai, rows", "one_row_test_dl_ms"),
    ),
}


def main() -> None:
    """Write the table, run the workers, print the report."""
    arguments = _parse_arguments()
    with tempfile.TemporaryDirectory() as folder:
        csv = str(Path(folder) / "auctions.csv")
        run_worker(worker_command(sys.executable, "_worker_tabrec.py", "write", csv, arguments.rows))
        note(f"{arguments.rows:,} auctions, {Path(csv).stat().st_size / 2**20:,.0f} MiB of CSV")
        runs = run_in_turn(_commands(csv, arguments.fastai_python), arguments.repeats)
    versions = {name: runs[name][0].versions for name in ("tabrec", "fastai") if name in runs}
    print(f"{arguments.rows:,} × 53 synthetic auctions, median (min–max) of {arguments.repeats}\n")
    print(describe_machine(**versions), end="\n\n")
    print(_table(runs))


def _commands(csv: str, fastai_python: str | None) -> dict[str, list[str]]:
    commands = {"tabrec": worker_command(sys.executable, "_worker_tabrec.py", "path", csv)}
    if fastai_python:
        commands["fastai"] = worker_command(fastai_python, "_worker_fastai.py", "path", csv)
    commands["tabrec, from pandas"] = worker_command(sys.executable, "_worker_tabrec.py", "frame", csv)
    if fastai_python:
        commands["fastai, rows"] = worker_command(fastai_python, "_worker_fastai.py", "rows", csv)
    return commands


def _table(runs: dict[str, list[Run]]) -> str:
    rows = []
    for what, ((our_worker, *our_values), (their_worker, *their_values)) in _LINES.items():
        ours = spread(runs[our_worker], *our_values)
        if their_worker in runs:
            theirs = spread(runs[their_worker], *their_values)
            rows.append([what, ours, theirs, ratio(theirs, ours)])
        else:
            rows.append([what, ours, "not measured", ""])
    return markdown_table(["", "tabrec", "fastai", "fastai ÷ tabrec"], rows)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fastai-python", help="interpreter of an environment with fastai")
    parser.add_argument("--rows", type=int, default=412_698)
    parser.add_argument("--repeats", type=int, default=5)
    return parser.parse_args()


if __name__ == "__main__":
    main()
