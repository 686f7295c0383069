"""A forest and a net on the auctions, and their mean, which is better than both (the book's chapter 9).

    TABREC_DATA_DIR=/path/to/data python examples/forest_and_net.py

Learns from the sales before 2011 in ``bulldozers/Train.csv`` (Kaggle's Blue Book for Bulldozers) and predicts those of
2011; without the variable, made auctions stand in.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import VotingRegressor
from sklearn.metrics import root_mean_squared_error

from tabrec import ForestRegressor, TabularRegressor, split_by_time
from tabrec.datasets import make_auctions


def read_auctions() -> pd.DataFrame:
    folder = os.environ.get("TABREC_DATA_DIR")
    if folder is None:
        return make_auctions(10_000, random_state=0)
    return pd.read_csv(Path(folder) / "bulldozers" / "Train.csv", low_memory=False, parse_dates=["saledate"])


def main() -> None:
    auctions = read_auctions()
    log_price = np.log(auctions.pop("SalePrice"))
    train, valid = split_by_time(auctions, "saledate", at="2011-01-01")
    ensemble = VotingRegressor(
        [("forest", ForestRegressor(random_state=0)), ("net", TabularRegressor(random_state=0))]
    ).fit(auctions.iloc[train], log_price.iloc[train])
    models = {**ensemble.named_estimators_, "their mean": ensemble}
    print(f"{len(train):,} auctions before 2011; error on the {len(valid):,} of 2011 (RMSE of the log price):")
    for name, model in models.items():
        error = root_mean_squared_error(log_price.iloc[valid], model.predict(auctions.iloc[valid]))
        print(f"  {name:<10} {error:.4f}")


if __name__ == "__main__":
    main()
