"""Seconds of interpretation functions, compared with other packages on one forest; seconds and memory of a report.

    python benchmarks/interpret.py --json benchmarks/results/interpret-cpu.json

The other packages (treeinterpreter, shap) need older releases: install '.[dev,classic]' with constraints-oldest.txt and
run this script in that environment. Everything runs in one thread except the report, which uses the forest's threads.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from _timing import Run, describe_machine, markdown_table, note, ratio, run_in_turn, run_worker, spread, worker_command

# Value of tabrec, value of the other package, and the required speedup.
PAIRS = {
    "contributions of all rows, treeinterpreter": ("contributions", "treeinterpreter", 50),
    "partial dependence of one column, 50 points, scikit-learn by brute force": (
        "partial_dependence",
        "brute_force",
        4,
    ),
    "out-of-bag permutation importance, scikit-learn with 5 repeats": (
        "feature_importance",
        "permutation_importance",
        8,
    ),
    "exact SHAP values, ms per row, shap's TreeExplainer": ("shap_values_row", "shap_row", 1),
}
SECONDS, GIGABYTES = 60, 2


def main() -> None:
    """Run both parts and print the report."""
    arguments = _parse_arguments()
    results = {}
    if not arguments.only or arguments.only == "peers":
        results["peers"] = _compare(arguments)
    if not arguments.only or arguments.only == "report":
        results["report"] = {Path(source).name: _report(source, arguments.repeats) for source in arguments.auctions}
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


def _compare(arguments: argparse.Namespace) -> dict:
    commands = {
        f"leaf {leaf}": worker_command(sys.executable, "_worker_interpret.py", leaf, arguments.explained)
        for leaf in arguments.min_samples_leaf
    }
    runs = run_in_turn(commands, arguments.repeats)
    first = next(iter(runs.values()))[0]
    print(f"20,000 rows × 20 columns × 40 trees; median (min–max) of {arguments.repeats}, seconds\n")
    print(describe_machine(versions=first.versions), end="\n\n")
    rows = []
    for name, found in runs.items():
        for what, (ours, theirs, least) in PAIRS.items():
            mine, peer = spread(found, ours), spread(found, theirs)
            rows.append([f"at least {name.split()[1]}", what, mine, peer, ratio(peer, mine), f"≥ {least}×"])
    header = ["rows per leaf", "function and compared package", "tabrec", "compared package", "speedup", "required"]
    print(markdown_table(header, rows), end="\n\n")
    return {name: [asdict(run) for run in found] for name, found in runs.items()}


def _report(source: str, repeats: int) -> list[dict]:
    with tempfile.TemporaryDirectory() as folder:
        fit = run_worker(worker_command(sys.executable, "_worker_report.py", "fit", source, folder))
        note(f"fitted on {fit.values['rows']:,} rows in {fit.values['fit']:.0f} s")
        commands = {"report": worker_command(sys.executable, "_worker_report.py", "report", source, folder)}
        runs: list[Run] = run_in_turn(commands, repeats)["report"]
    seconds, peak = spread(runs, "report"), spread(runs, "report_peak_mib")
    verdict = "within" if seconds.median < SECONDS and peak.median * 2**20 < GIGABYTES * 1e9 else "NOT within"
    what = f"{int(source):,} synthetic auctions" if source.isdigit() else Path(source).name
    print(
        f"Report on a forest of 100 trees ({fit.values['nodes']:,.0f} nodes, {fit.values['rows']:,.0f} rows), {what}: "
        f"{seconds} s; at most {peak} MiB resident during the report, {spread(runs, 'before_mib')} MiB of which before "
        f"(forest, table, libraries): {verdict} {SECONDS} s and {GIGABYTES} GB. The peak of the process, "
        f"including loading, is {spread(runs, 'peak_mib')} MiB. Page size: {runs[0].values['page_mb']:.2f} MB\n"
    )
    return [asdict(run) for run in [fit, *runs]]


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["peers", "report"])
    parser.add_argument("--min-samples-leaf", type=int, nargs="+", default=[5])
    parser.add_argument("--explained", type=int, default=200, help="rows that SHAP explains")
    parser.add_argument("--auctions", nargs="+", default=["412698"], help="numbers of synthetic auctions, or CSV files")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="output file of the measurements")
    return parser.parse_args()


if __name__ == "__main__":
    main()
