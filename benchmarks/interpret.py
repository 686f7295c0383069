"""Reasons beside the peers', on one forest in one process; and what a whole report costs.

    python benchmarks/interpret.py --json benchmarks/results/interpret-cpu.json

The peers (treeinterpreter, shap) need older releases: install '.[dev,classic]' under constraints-oldest.txt, and run
this script there. Everything runs in one thread, but for the report, which takes as many as the forest does.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from _timing import Run, describe_machine, markdown_table, note, ratio, run_in_turn, run_worker, spread, worker_command

# Ours, the peer's, and how many times faster than the peer it is meant to be.
PAIRS = {
    "contributions of all rows, treeinterpreter": ("contributions", "treeinterpreter", 50),
    "partial dependence of one column, 50 points, scikit-learn's brute force": ("partial_dependence", "brute_force", 4),
    "permutation importance out of bag, scikit-learn's with 5 repeats": (
        "feature_importance",
        "permutation_importance",
        8,
    ),
    "exact SHAP, ms a row, shap's TreeExplainer": ("shap_values_row", "shap_row", 1),
}
SECONDS, GIGABYTES = 60, 2


def main() -> None:
    """Run both parts and print the report."""
    arguments = _parse_arguments()
    told = {}
    if not arguments.only or arguments.only == "peers":
        told["peers"] = _compare(arguments)
    if not arguments.only or arguments.only == "report":
        told["report"] = {Path(source).name: _report(source, arguments.repeats) for source in arguments.auctions}
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(told, indent=2) + "\n")


def _compare(arguments: argparse.Namespace) -> dict:
    commands = {
        f"leaf {leaf}": worker_command(sys.executable, "_worker_interpret.py", leaf, arguments.explained)
        for leaf in arguments.min_samples_leaf
    }
    runs = run_in_turn(commands, arguments.repeats)
    first = next(iter(runs.values()))[0]
    print(f"20,000 rows × 20 columns × 40 trees; median (least–most) of {arguments.repeats}, seconds\n")
    print(describe_machine(versions=first.versions), end="\n\n")
    rows = []
    for name, found in runs.items():
        for what, (ours, theirs, least) in PAIRS.items():
            mine, peer = spread(found, ours), spread(found, theirs)
            rows.append([f"at least {name.split()[1]}", what, mine, peer, ratio(peer, mine), f"≥ {least}×"])
    print(
        markdown_table(["rows in a leaf", "what, and the peer", "tabrec", "peer", "faster", "asked"], rows), end="\n\n"
    )
    return {name: [asdict(run) for run in found] for name, found in runs.items()}


def _report(source: str, repeats: int) -> list[dict]:
    with tempfile.TemporaryDirectory() as folder:
        fit = run_worker(worker_command(sys.executable, "_worker_report.py", "fit", source, folder))
        note(f"fitted on {fit.values['rows']:,} rows in {fit.values['fit']:.0f} s")
        commands = {"report": worker_command(sys.executable, "_worker_report.py", "report", source, folder)}
        runs: list[Run] = run_in_turn(commands, repeats)["report"]
    seconds, peak = spread(runs, "report"), spread(runs, "report_peak_mib")
    verdict = "within" if seconds.median < SECONDS and peak.median * 2**20 < GIGABYTES * 1e9 else "NOT within"
    what = f"{int(source):,} made auctions" if source.isdigit() else Path(source).name
    print(
        f"Report on a forest of 100 trees ({fit.values['nodes']:,.0f} nodes, {fit.values['rows']:,.0f} rows), {what}: "
        f"{seconds} s; at most {peak} MiB resident while at it, {spread(runs, 'before_mib')} MiB of them before "
        f"(forest, table, libraries): {verdict} {SECONDS} s and {GIGABYTES} GB. The whole process, loading the forest "
        f"included, peaked at {spread(runs, 'peak_mib')} MiB. The page has {runs[0].values['page_mb']:.2f} MB.\n"
    )
    return [asdict(run) for run in [fit, *runs]]


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["peers", "report"])
    parser.add_argument("--min-samples-leaf", type=int, nargs="+", default=[5])
    parser.add_argument("--explained", type=int, default=200, help="rows that SHAP explains")
    parser.add_argument("--auctions", nargs="+", default=["412698"], help="numbers of made auctions, or CSV files")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    return parser.parse_args()


if __name__ == "__main__":
    main()
