"""Time and memory of recommenders fitted to interactions in files: 1, 10 and 200 million, of up to 2 million users.

    python benchmarks/scale_interactions.py --folder path/to/clicks

Files of ten million interactions are written to the folder once: users are drawn uniformly, and the item at rank k of
the catalogue with a probability proportional to 1 / k. For every number of interactions, a new process fits ImplicitALS
of 16 factors in two iterations and computes the recommendations of 10,000 users. Seconds are those of the processor;
the peak memory is that of the whole process, without the temporary files.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from _timing import describe_machine, markdown_table, note, peak_mib, run_worker, worker_command

_ROWS_OF_FILE = 10_000_000
_N_USERS, _N_ITEMS = 2_000_000, 50_000


def write_files(folder: Path, n_files: int) -> None:
    """Generate the files that are not there yet."""
    import numpy as np
    import pandas as pd

    folder.mkdir(parents=True, exist_ok=True)
    for number in range(n_files):
        path = folder / f"{number:03d}.parquet"
        if not path.exists():
            rng = np.random.default_rng(number)
            users = rng.integers(_N_USERS, size=_ROWS_OF_FILE, dtype=np.int32)
            items = (_N_ITEMS ** rng.random(_ROWS_OF_FILE)).astype(np.int32)
            pd.DataFrame({"user": users, "item": items}).to_parquet(path, row_group_size=1_000_000, index=False)
            note(f"wrote {path}")


def work(folder: str, n_rows: int, memory: str) -> None:
    """Fit and recommend, and print the measurements, in a separate process."""
    from tabrec import ImplicitALS
    from tabrec.scale import FileChunks

    values: dict[str, Any] = {"imports_mib": peak_mib()}
    n_files = -(-n_rows // _ROWS_OF_FILE)
    clicks = FileChunks([Path(folder) / f"{number:03d}.parquet" for number in range(n_files)], memory=memory)
    if n_rows < _ROWS_OF_FILE:
        clicks = clicks.split(_ROWS_OF_FILE // n_rows)[0]
    model = ImplicitALS(n_factors=16, n_iterations=2, random_state=0, device="cpu", verbose=0)
    start = time.process_time()
    model.fit(clicks)
    values |= {"fit": time.process_time() - start, "fit_mib": peak_mib()}
    start = time.process_time()
    model.recommend(model.users_[:10_000].to_numpy(), 10)
    values |= {"recommend": time.process_time() - start, "n_rows": clicks.n_rows}
    values |= {"n_users": len(model.users_), "n_items": len(model.items_)}
    print(json.dumps({"values": values, "versions": {}}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("clicks"))
    parser.add_argument("--millions", type=int, nargs="+", default=[1, 10, 200])
    parser.add_argument("--memory", default="1GB")
    options = parser.parse_args()
    write_files(options.folder, -(-max(options.millions) * 10**6 // _ROWS_OF_FILE))
    runs = {}
    for millions in options.millions:
        n_rows = millions * 10**6
        command = worker_command(
            sys.executable, "scale_interactions.py", "--worker", options.folder, n_rows, options.memory
        )
        runs[millions] = run_worker(command).values
        note(f"{millions} million interactions: {runs[millions]}")
    rows = [
        ["users", *(f"{run['n_users']:,}" for run in runs.values())],
        ["items", *(f"{run['n_items']:,}" for run in runs.values())],
        [
            "fit, thousand interactions per second",
            *(f"{run['n_rows'] / run['fit'] / 1e3:,.0f}" for run in runs.values()),
        ],
        ["recommendations of 10,000 users, s", *(f"{run['recommend']:.2f}" for run in runs.values())],
        ["peak memory of the fit, MiB", *(f"{run['fit_mib']:,.0f}" for run in runs.values())],
        ["peak memory, MiB", *(f"{run['peak_mib']:,.0f}" for run in runs.values())],
    ]
    print(describe_machine())
    print(markdown_table(["", *(f"{m} million" for m in runs)], rows))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        work(sys.argv[2], int(sys.argv[3]), sys.argv[4])
    else:
        main()
