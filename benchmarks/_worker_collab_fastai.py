"""Tasks of `collab.py` in an environment with fastai: ``_worker_collab_fastai.py MODEL FOLDER FOLD SEED``.

dot : ``collab_learner`` of chapter 8 of J. Howard, S. Gugger, *Deep Learning for Coders*, 2020, an EmbeddingDotBias.
nn  : the same with ``use_nn=True``, an EmbeddingNN.

The model is trained on ``uFOLD-train.csv`` and predicts all ratings of ``uFOLD-test.csv``, including unknown ids.
"""

import sys
import time
import warnings
from pathlib import Path

import pandas as pd
import torch
from _timing import Stopwatch
from fastai.collab import CollabDataLoaders, collab_learner
from fastai.tabular.all import default_device, set_seed

FACTORS, LAYERS, Y_RANGE = 50, [100, 50], (0, 5.5)
EPOCHS, LEARNING_RATE, WEIGHT_DECAY, BATCH_SIZE = 5, 5e-3, 0.1, 64

warnings.filterwarnings("ignore")  # pandas warns about its use in fastai

if __name__ == "__main__":
    stopwatch = Stopwatch()
    model, folder, fold, seed = sys.argv[1:]
    train, test = (pd.read_csv(Path(folder) / f"u{fold}-{part}.csv") for part in ("train", "test"))
    default_device(False)
    set_seed(int(seed))
    sizes = {"use_nn": True, "layers": LAYERS} if model == "nn" else {"n_factors": FACTORS}
    cpu = time.process_time()
    with stopwatch.stage("fit"):
        dls = CollabDataLoaders.from_df(train, valid_pct=0, seed=int(seed), bs=BATCH_SIZE)
        learn = collab_learner(dls, y_range=Y_RANGE, **sizes)
        learn.remove_cb(learn.progress)  # a progress bar would take time
        with learn.no_logging():
            learn.fit_one_cycle(EPOCHS, LEARNING_RATE, wd=WEIGHT_DECAY)
    stopwatch.values["cpu"] = time.process_time() - cpu
    with stopwatch.stage("predict"):
        predicted = learn.get_preds(dl=learn.dls.test_dl(test))[0].flatten().numpy()
    stopwatch.values["rmse"] = float(((predicted - test["rating"]) ** 2).mean() ** 0.5)
    stopwatch.values["threads"] = torch.get_num_threads()
    stopwatch.report("fastai", "torch", "pandas", "numpy")
