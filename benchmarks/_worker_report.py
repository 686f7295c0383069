"""Report on a forest that another process fitted to synthetic or given auctions and saved (Linux only)."""

import ctypes
import gc
import resource
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from _timing import Stopwatch

from tabrec import ForestRegressor, load, save, split_by_time
from tabrec.datasets import make_auctions, read_table
from tabrec.interpret import report

watch = Stopwatch()


def read_auctions(source: str):
    """Return synthetic auctions or the table of a file; the latest rows are held out."""
    auctions = make_auctions(int(source), random_state=0) if source.isdigit() else read_table(source)
    price = np.log(auctions.pop("SalePrice"))
    return auctions, price, *split_by_time(auctions, "saledate", at="2011-01-01")


@contextmanager
def resident_peak():
    """Record the resident memory in MiB before and during the block, after memory of loading the forest is freed."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    seen, done = [resident_mib()], threading.Event()

    def watch_memory():
        while not done.wait(0.05):
            seen.append(resident_mib())

    watcher = threading.Thread(target=watch_memory, daemon=True)
    watcher.start()
    yield seen
    done.set()
    watcher.join()


def resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def main(step: str, source: str, folder: str) -> None:
    X, y, train, valid = read_auctions(source)
    if step == "fit":
        with watch.stage("fit"):
            forest = ForestRegressor(100, random_state=0).fit(X.iloc[train], y.iloc[train])
        save(forest, Path(folder) / "model")
        watch.values["rows"] = len(train)
        watch.values["nodes"] = sum(tree.tree_.node_count for tree in forest.estimators_)
    else:
        forest = load(Path(folder) / "model")
        with resident_peak() as peak, watch.stage("report"):
            page = report(forest, X.iloc[train], y.iloc[train], X.iloc[valid], y.iloc[valid])
        watch.values |= {"before_mib": peak[0], "report_peak_mib": max(peak)}
        watch.values["page_mb"] = len(page.html) / 1e6
    watch.report("tabrec", "scikit-learn", "numpy", "pandas")


if __name__ == "__main__":
    main(*sys.argv[1:4])
