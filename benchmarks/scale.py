"""Time and memory of fits to files: generated auctions in parquet, of 1, 10 and 60 million rows and 20 columns.

    python benchmarks/scale.py --folder path/to/auctions --json benchmarks/results/scale-cpu.json

Files of a million rows are written to the folder once. For every number of rows, a new process learns the encoding,
fits a forest of 20 trees to the logarithm of the price, which learns the encoding again, writes predictions, and trains
a net for one epoch. Seconds are those of the processor, summed over threads, so that they hold on a busy machine; the
peak memory is that of the whole process.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _timing import describe_machine, markdown_table, note, peak_mib, run_worker, worker_command

_ROWS_OF_FILE = 1_000_000
_COLUMNS = [
    *("SalesID", "SalePrice", "MachineID", "ModelID", "datasource", "auctioneerID", "YearMade"),
    *("MachineHoursCurrentMeter", "UsageBand", "saledate", "fiModelDesc", "fiBaseModel", "fiSecondaryDesc"),
    *("ProductSize", "fiProductClassDesc", "state", "ProductGroup", "Enclosure", "Hydraulics", "Coupler"),
]
_STAGES = {
    "encoding": "learning the encoding, of all rows",
    "forest": "forest of 20 trees: the encoding again, the draw of its rows and the growth",
    "predictions": "its predictions, written to parquet",
    "net": "net with layers of 100 and 50, one epoch: the encoding again, and the epoch",
}


def write_files(folder: Path, n_files: int) -> None:
    """Generate the files that are not there yet."""
    from tabrec.datasets import make_auctions

    folder.mkdir(parents=True, exist_ok=True)
    for number in range(n_files):
        path = folder / f"{number:03d}.parquet"
        if not path.exists():
            table = make_auctions(_ROWS_OF_FILE, random_state=number)[_COLUMNS]
            table.to_parquet(path, row_group_size=250_000, index=False)
            note(f"wrote {path}")


def work(folder: str, n_files: int, memory: str) -> None:
    """Fit and predict, and print the measurements, in a separate process."""
    from tabrec import ForestRegressor, TabularPreprocessor, TabularRegressor
    from tabrec.scale import FileChunks, predict_to

    values: dict[str, Any] = {"imports_mib": peak_mib()}
    sales = FileChunks([Path(folder) / f"{number:03d}.parquet" for number in range(n_files)], memory=memory)

    def timed(stage: str, run: Callable[[], Any]) -> Any:
        start = time.process_time()
        result = run()
        values[stage], values[f"{stage}_mib"] = time.process_time() - start, peak_mib()
        return result

    timed("encoding", lambda: TabularPreprocessor().fit(sales.drop(["SalePrice"])))
    model = ForestRegressor(20, random_state=0, n_jobs=1, verbose=0)
    timed("forest", lambda: model.fit(sales, "log(SalePrice)"))
    path = Path(folder).with_name("predictions.parquet")
    timed("predictions", lambda: predict_to(path, model, sales, keep=["SalesID"], overwrite=True))
    path.unlink()
    net = TabularRegressor((100, 50), n_members=None, epochs=1, device="cpu", random_state=0, verbose=0)
    timed("net", lambda: net.fit(sales, "log(SalePrice)"))
    values["net_loss"] = float(net.history_["train_loss"].iloc[-1])
    values |= {"n_rows": sales.n_rows, "n_drawn": len(model.sample_rows_), "oob_score": model.oob_score_}
    print(json.dumps({"values": values, "versions": {}}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("auctions"))
    parser.add_argument("--millions", type=int, nargs="+", default=[1, 10, 60])
    parser.add_argument("--memory", default="1GB")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    write_files(options.folder, max(options.millions))
    runs = {}
    for millions in options.millions:
        command = worker_command(sys.executable, "scale.py", "--worker", options.folder, millions, options.memory)
        runs[millions] = run_worker(command).values
        note(f"{millions} million rows: {runs[millions]}")
    rows = [
        [text, *(f"{run['n_rows'] / run[stage] / 1e3:,.0f}" for run in runs.values())]
        for stage, text in _STAGES.items()
    ]
    rows.append(["rows drawn for the forest", *(f"{run['n_drawn']:,}" for run in runs.values())])
    rows.append(["peak memory, MiB", *(f"{run['peak_mib']:,.0f}" for run in runs.values())])
    print(describe_machine())
    print(markdown_table(["thousand rows per second of the processor", *(f"{m} million" for m in runs)], rows))
    if options.json:
        options.json.write_text(json.dumps({"machine": describe_machine(), "runs": runs}, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        work(sys.argv[2], int(sys.argv[3]), sys.argv[4])
    else:
        main()
