"""Tasks of `preprocess.py` that run tabrec: ``_worker_tabrec.py TASK CSV [ROWS]``, one task per process.

write ROWS : generate ROWS auctions and write them to the CSV file.
path       : CSV file -> encoded frame, by `read_table` and `TabularPreprocessor`; the peak memory covers only these.
frame      : the same on the frame that ``pandas.read_csv`` returns, then single rows of it.
"""

import statistics
import sys
import time
from collections.abc import Callable

import pandas as pd
from _timing import Stopwatch

from tabrec import TabularPreprocessor, datasets

N_WARM_UP, N_ROWS = 20, 200


def write(watch: Stopwatch, csv: str, n_rows: str) -> None:
    """Generate the auctions once for all workers."""
    with watch.stage("write"):
        datasets.make_auctions(int(n_rows), random_state=0).to_csv(csv, index=False)


def path(watch: Stopwatch, csv: str) -> None:
    """Read the file and encode it."""
    with watch.stage("read"):
        sales = datasets.read_table(csv)
    with watch.stage("encode"):
        sales.pop("SalePrice")
        TabularPreprocessor().fit_transform(sales)


def frame(watch: Stopwatch, csv: str) -> None:
    """Encode the frame of pandas, then single rows."""
    with watch.stage("read_csv"):
        sales = pd.read_csv(csv, low_memory=False)
    preprocessor = TabularPreprocessor()
    with watch.stage("encode_from_pandas"):
        sales.pop("SalePrice")
        preprocessor.fit_transform(sales)
    milliseconds = []
    for i in range(N_WARM_UP + N_ROWS):
        row = sales.iloc[[i % len(sales)]]
        start = time.perf_counter()
        preprocessor.transform(row)
        milliseconds.append(1000 * (time.perf_counter() - start))
    watch.values["one_row_ms"] = statistics.median(milliseconds[N_WARM_UP:])


if __name__ == "__main__":
    stopwatch = Stopwatch()
    task, *arguments = sys.argv[1:]
    tasks: dict[str, Callable[..., None]] = {"write": write, "path": path, "frame": frame}
    tasks[task](stopwatch, *arguments)
    stopwatch.report("tabrec", "pandas", "numpy", "pyarrow")
