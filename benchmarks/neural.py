"""Time and memory of training and predicting with nets, compared with fastai and a minimal loop in torch.

    python benchmarks/neural.py --fastai-python /path/to/fastai-env/bin/python

`--fastai-python` is the interpreter of an environment with ``pip install fastai``; without it fastai is skipped.
The auctions are generated and encoded once, and all workers train the same net on the same codes and numbers: embedding
widths by the rule of fastai, linear → ReLU → batch norm, AdamW with a one-cycle schedule. The plain loop has one
embedding per column, `nn.Sequential` and slices of a permutation. The error after the last epoch is measured on
held-out rows, 10 % of n_rows, that follow the training rows. Every measurement is
the median over new processes that alternate.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from _timing import (
    Run,
    Spread,
    describe_machine,
    markdown_table,
    note,
    ratio,
    run_in_turn,
    run_worker,
    spread,
    worker_command,
)

_OURS, _THEIRS = "_worker_neural.py", "_worker_neural_fastai.py"
_NET = {"layers": [500, 250], "batch_size": 1024}
_SMALL_NET = {"layers": [200, 100], "batch_size": 64}
_N_SMALL_ROWS, _N_RAW_ROWS = 10_000, 20_000

# name | task and precision | plain loop for comparison
_WORKERS = {
    "tabrec, float32": (("tabrec", "float32"), "plain loop, float32"),
    "tabrec, auto": (("tabrec", "auto"), "plain loop, bfloat16"),
    "plain loop, float32": (("plain", "float32"), None),
    "plain loop, bfloat16": (("plain", "bfloat16"), None),
}
_VALUES = {
    "epoch": "epoch, s",
    "predict": "predict all rows, s",
    "training_mib": "peak memory of training, MiB",
    "imports_mib": "of which imports, MiB",
}
_ROW_LINES = {
    "net of the book, compared with `predict` of fastai": ("one_row_ms", "one_row_ms"),
    "net of the book, compared with `test_dl` and `get_preds`": ("one_row_ms", "one_row_test_dl_ms"),
    "default `TabularRegressor`, compared with the same": ("one_row_default_ms", "one_row_test_dl_ms"),
}

Runs = dict[str, list[Run]]


def main() -> None:
    """Write the tables, run the workers, print the report."""
    arguments = _parse_arguments()
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        machine, versions = _look_at_machine(folder / "machine", arguments.device)
        names = [name for name in _WORKERS if machine["device_has_bfloat16"] or "bfloat16" not in name]
        setup = {"epochs": arguments.epochs, "device": machine["device"]}
        large = _train(folder / "large", setup | _NET | {"n_rows": arguments.rows}, names, arguments)
        columns = _check_columns(folder / "large")
        small_names = [name for name in names if "float32" in name]
        small = _train(folder / "small", setup | _SMALL_NET | {"n_rows": _N_SMALL_ROWS}, small_names, arguments)
        _check_columns(folder / "small")
        one_row = _predict_rows(folder / "row", setup | _NET | {"n_rows": _N_RAW_ROWS, "epochs": 1}, arguments)
    if "fastai" in large:
        versions |= {"fastai": large["fastai"][0].versions}
    _print_report(arguments, _describe(machine, versions), columns, large, small, one_row)
    if arguments.json:
        parts = {"an epoch": large, "small net": small, "one row": one_row}
        _write_json(arguments, machine | {"versions": versions}, parts)


def _look_at_machine(folder: Path, device: str) -> tuple[dict, dict[str, dict[str, str]]]:
    """Return the capabilities of the device, detected by a worker to keep torch out of this process."""
    _set_up(folder, {"device": device})
    run = run_worker(worker_command(sys.executable, _OURS, "machine", folder))
    return json.loads((folder / "machine.json").read_text()), {"tabrec": run.versions}


def _train(folder: Path, setup: dict, names: list[str], arguments: argparse.Namespace) -> Runs:
    _set_up(folder, setup)
    run_worker(worker_command(sys.executable, _OURS, "encode", folder))
    note(f"{setup['n_rows']:,} auctions encoded, layers {setup['layers']}, batches of {setup['batch_size']}")
    commands = {}
    if arguments.fastai_python:
        commands["fastai"] = worker_command(arguments.fastai_python, _THEIRS, "train", folder)
    for name in names:
        (task, precision), _ = _WORKERS[name]
        commands[name] = worker_command(sys.executable, _OURS, task, folder, precision)
    return run_in_turn(commands, arguments.repeats)


def _predict_rows(folder: Path, setup: dict, arguments: argparse.Namespace) -> Runs:
    _set_up(folder, setup)
    run_worker(worker_command(sys.executable, _OURS, "write", folder))
    commands = {"tabrec": worker_command(sys.executable, _OURS, "row", folder)}
    if arguments.fastai_python:
        commands["fastai"] = worker_command(arguments.fastai_python, _THEIRS, "row", folder)
    return run_in_turn(commands, arguments.repeats)


def _set_up(folder: Path, setup: dict) -> None:
    folder.mkdir()
    (folder / "setup.json").write_text(json.dumps(setup))


def _check_columns(folder: Path) -> str:
    """Describe the columns, which must be the same, with the same widths, for all trained nets."""
    found = {path.stem.removeprefix("columns-"): json.loads(path.read_text()) for path in folder.glob("columns-*")}
    first, *others = found
    for other in others:
        for kind, columns in found[first].items():
            if list(columns) != list(found[other][kind]) or columns != found[other][kind]:
                raise SystemExit(f"{first} and {other} differ in {kind} columns:\n{columns}\n{found[other][kind]}")
    widths = found[first]["categories"].values()
    return (
        f"{len(widths)} category columns with {sum(n for n, _ in widths):,} codes and "
        f"{sum(width for _, width in widths):,} embedding dimensions; {len(found[first]['continuous'])} continuous "
        f"columns; the same for {', '.join(sorted(found))}"
    )


def _describe(machine: dict, versions: dict[str, dict[str, str]]) -> str:
    bfloat16 = "yes" if machine["cpu_has_bfloat16"] else "no"
    where = machine["gpu"] or f"CPU, torch threads: {machine['threads']}"
    return f"{describe_machine(**versions)}\n- bfloat16 on the CPU: {bfloat16}\n- trained on: {where}"


def _print_report(
    arguments: argparse.Namespace, machine: str, columns: str, large: Runs, small: Runs, one_row: Runs
) -> None:
    heading = f"median (min–max) of {arguments.repeats}, epochs: median of {arguments.epochs} except the first"
    print(
        f"{arguments.rows:,} synthetic auctions, layers {_NET['layers']}, batches of {_NET['batch_size']}; {heading}\n"
    )
    print(f"{machine}\n- {columns}\n")
    print(_training_table(large), end="\n\n")
    print(f"{_N_SMALL_ROWS:,} auctions, layers {_SMALL_NET['layers']}, batches of {_SMALL_NET['batch_size']}:\n")
    print(_training_table(small), end="\n\n")
    print(f"Prediction of one raw row in ms, after training on {_N_RAW_ROWS:,} raw auctions:\n")
    print(_row_table(one_row))


def _training_table(runs: Runs) -> str:
    """Return a table with one row per trained net."""
    values = dict(_VALUES)
    if any(run.values["gpu_mib"] for run in next(iter(runs.values()))):
        values["gpu_mib"] = "peak memory of the GPU, MiB"
    ratios = ["epoch of fastai ÷ epoch", "epoch ÷ epoch of the plain loop of the same precision"]
    header = ["", "RMSE of the log price, held out", *values.values(), *ratios]
    rows = []
    for name in runs:
        plain = _WORKERS[name][1] if name in _WORKERS else "plain loop, float32"
        rmse = f"{spread(runs[name], 'rmse').median:.4f}"
        measured = [spread(runs[name], value) for value in values]
        rows.append([name, rmse, *measured, _epochs_ratio(runs, "fastai", name), _epochs_ratio(runs, name, plain)])
    return markdown_table(header, rows)


def _epochs_ratio(runs: Runs, numerator: str, denominator: str | None) -> str:
    if numerator == denominator or numerator not in runs or denominator not in runs:
        return ""
    return ratio(spread(runs[numerator], "epoch"), spread(runs[denominator], "epoch"))


def _row_table(runs: Runs) -> str:
    rows = []
    for what, (our_value, their_value) in _ROW_LINES.items():
        ours = spread(runs["tabrec"], our_value)
        if "fastai" in runs:
            theirs = spread(runs["fastai"], their_value)
            rows.append([what, ours, theirs, ratio(theirs, ours)])
        else:
            rows.append([what, ours, "not measured", ""])
    return markdown_table(["", "tabrec", "fastai", "fastai ÷ tabrec"], rows)


def _write_json(arguments: argparse.Namespace, machine: dict, parts: dict[str, Runs]) -> None:
    """Write all measurements and a description of the machine."""
    figures: dict[str, dict[str, dict[str, Spread]]] = {
        part: {name: {value: spread(found, value) for value in found[0].values} for name, found in runs.items()}
        for part, runs in parts.items()
    }
    settings = {"rows": arguments.rows, "epochs": arguments.epochs, "repeats": arguments.repeats, "machine": machine}
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(settings | figures, indent=2, default=asdict) + "\n")


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fastai-python", help="interpreter of an environment with fastai")
    parser.add_argument("--rows", type=int, default=412_698, help="training rows of the large net")
    parser.add_argument("--epochs", type=int, default=4, help="at least 2, because the first is a warm-up")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--json", type=Path, help="output file of the measurements")
    arguments = parser.parse_args()
    if arguments.epochs < 2:
        parser.error("--epochs must be at least 2, because the first is a warm-up")
    return arguments


if __name__ == "__main__":
    main()
