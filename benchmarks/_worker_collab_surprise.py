"""Tasks of `collab.py` in an environment with Surprise: ``_worker_collab_surprise.py MODEL FOLDER FOLD SEED``.

The model is SVD or SVDpp with the defaults of Surprise, fitted to ``uFOLD-train.csv``. It predicts the ratings of
``uFOLD-test.csv``; for unknown ids Surprise predicts by the known biases or the mean.
"""

import sys
import time
from pathlib import Path

import pandas as pd
from _timing import Stopwatch
from surprise import SVD, Dataset, Reader, SVDpp

if __name__ == "__main__":
    stopwatch = Stopwatch()
    model, folder, fold, seed = sys.argv[1:]
    train, test = (pd.read_csv(Path(folder) / f"u{fold}-{part}.csv") for part in ("train", "test"))
    algorithm = {"SVD": SVD, "SVDpp": SVDpp}[model](random_state=int(seed))
    cpu = time.process_time()
    with stopwatch.stage("fit"):
        algorithm.fit(Dataset.load_from_df(train, Reader(rating_scale=(1, 5))).build_full_trainset())
    stopwatch.values["cpu"] = time.process_time() - cpu
    with stopwatch.stage("predict"):
        pairs = zip(test["user"], test["item"], strict=True)
        predicted = pd.Series([algorithm.predict(user, item).est for user, item in pairs])
    stopwatch.values["rmse"] = float(((predicted - test["rating"]) ** 2).mean() ** 0.5)
    stopwatch.report("scikit-surprise", "pandas", "numpy")
