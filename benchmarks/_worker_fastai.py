"""Tasks of `preprocess.py` in an environment with fastai: ``_worker_fastai.py TASK CSV``, one task per process.

path : CSV file -> processed table, as in chapter 9 of J. Howard, S. Gugger, *Deep Learning for Coders*, 2020.
rows : the same, then single raw rows.
"""

import statistics
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from _timing import Stopwatch
from fastai.tabular.all import Categorify, FillMissing, TabularPandas, add_datepart, cont_cat_split

N_WARM_UP, N_ROWS = 20, 200

warnings.filterwarnings("ignore")  # pandas warns about its use in fastai


def path(watch: Stopwatch, csv: str) -> TabularPandas:
    """Read the file and process it."""
    with watch.stage("read_csv"):
        df = pd.read_csv(csv, low_memory=False)
    with watch.stage("add_datepart"):  # also parses the dates
        df = add_datepart(df, "saledate")
    with watch.stage("TabularPandas"):
        is_train = ((df.saleYear < 2011) | (df.saleMonth < 10)).to_numpy()
        splits = list(np.where(is_train)[0]), list(np.where(~is_train)[0])
        cont, cat = cont_cat_split(df, max_card=1, dep_var="SalePrice")
        to = TabularPandas(df, [Categorify, FillMissing], cat, cont, y_names="SalePrice", splits=splits)
        _ = to.train.xs
    return to


def rows(watch: Stopwatch, csv: str) -> None:
    """Process single raw rows, with `process` and with the data loader of predictions."""
    to = path(watch, csv)
    loaders = to.dataloaders()
    raw = pd.read_csv(csv, nrows=N_WARM_UP + N_ROWS, low_memory=False).drop(columns="SalePrice")
    watch.values["one_row_ms"] = _one_row_ms(raw, lambda row: to.new(add_datepart(row, "saledate")).process())
    watch.values["one_row_test_dl_ms"] = _one_row_ms(
        raw, lambda row: loaders.test_dl(add_datepart(row, "saledate")).one_batch()
    )


def _one_row_ms(raw: pd.DataFrame, process: Callable[[pd.DataFrame], object]) -> float:
    """Return the median milliseconds of `process` over single rows, after a warm-up."""
    milliseconds = []
    for i in range(N_WARM_UP + N_ROWS):
        row = raw.iloc[[i % len(raw)]].copy()  # add_datepart modifies its argument
        start = time.perf_counter()
        process(row)
        milliseconds.append(1000 * (time.perf_counter() - start))
    return statistics.median(milliseconds[N_WARM_UP:])


if __name__ == "__main__":
    stopwatch = Stopwatch()
    task, csv_path = sys.argv[1:]
    {"path": path, "rows": rows}[task](stopwatch, csv_path)
    stopwatch.report("fastai", "torch", "pandas", "numpy")
