"""One process: a forest of made (or given) auctions, saved by another process, and its report."""

import sys
from pathlib import Path

import numpy as np
from _timing import Stopwatch

from tabrec import ForestRegressor, load, save, split_by_time
from tabrec.datasets import make_auctions, read_table
from tabrec.interpret import report

watch = Stopwatch()


def read_auctions(source: str):
    """So many made auctions, or the table of a file; those held out are the latest."""
    auctions = make_auctions(int(source), random_state=0) if source.isdigit() else read_table(source)
    price = np.log(auctions.pop("SalePrice"))
    return auctions, price, *split_by_time(auctions, "saledate", at="2011-01-01")


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
        with watch.stage("report"):
            page = report(forest, X.iloc[train], y.iloc[train], X.iloc[valid], y.iloc[valid])
        watch.values["page_mb"] = len(page.html) / 1e6
    watch.report("tabrec", "scikit-learn", "numpy", "pandas")


if __name__ == "__main__":
    main(*sys.argv[1:4])
