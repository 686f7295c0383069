"""Blue Book for Bulldozers, as in chapter 9 of the fastai book: from a raw table to predictions of future sales.

    python examples/bulldozers.py [FOLDER]

Trains on auctions before 2011 (of the first 5,000), validates on 2011, predicts 2012. Writes submission.csv, and
plots if FOLDER is given. Data: kaggle.com/c/bluebook-for-bulldozers, by `tabrec download bulldozers`.
"""

import sys
from pathlib import Path

import numpy as np
from sklearn.ensemble import VotingRegressor
from sklearn.metrics import root_mean_squared_error

from tabrec import BoostingRegressor, ForestRegressor, TabularRegressor, column_kinds, interpret, split_by_time
from tabrec.datasets import check_submission, load_bulldozers

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
auctions, future, _ = load_bulldozers()
auctions = auctions.head(5_000)
log_price = np.log(auctions.pop("SalePrice")).rename("log price")  # Kaggle scores the error of the logarithm


def show(title, table):
    print(f"\n{title}:\n{table.round(4).to_string(index=False)}")


print("Kinds of columns:", column_kinds(auctions)["kind"].value_counts().to_dict())

# Validate on sales later than all training rows, as the model will be used.
train, valid = split_by_time(auctions, "saledate", at="2011-01-01")
X, y, X_valid, y_valid = auctions.iloc[train], log_price.iloc[train], auctions.iloc[valid], log_price.iloc[valid]

# A forest is the mean of many large trees, each grown from random rows and columns.
tree = ForestRegressor(1, max_leaf_nodes=4, max_features=None, bootstrap=False, oob_score=False, high_cardinality=None)
print(f"\nA tree of four leaves:\n{interpret.tree_rules(tree.fit(X, y))}")
forest = ForestRegressor(40, random_state=0).fit(X, y)

# Out-of-bag rows are from the training years: the difference to the validation error is change over time.
show("RMSE of the forest", interpret.oob_report(forest, X_valid, y_valid, X=X, y=y).table)

# Feature importance: most columns can be dropped, and some of the others are redundant.
small = interpret.drop_unimportant(forest, X, y, cv=(X_valid, y_valid))
show(f"R² with all {X.shape[1]} columns, and with the {len(small.kept)} important ones", small.table)
show("The most important, share of the importance", small.shares.head(6).reset_index())
same = interpret.redundancy(X[small.kept])
print("\nNearly the same:", *(", ".join(cluster) for cluster in same.clusters), sep="\n  ")
by_year = interpret.partial_dependence(small.model, X_valid[small.kept], "YearMade", grid=[1980, 1990, 2000, 2010])
show("Log price by the year made, all else as it is", by_year.table[["YearMade", "effect"]])

# Domain shift: the sales of 2012 differ in dates, in increasing ids, and in hours, which are mostly missing.
shift = interpret.domain_shift(X, future, model=forest)
show("Told from 2012 by", shift.table.head(6)[["column", "kind", "auc", "how"]])
suspects = ["SalesID", "MachineID", "MachineHoursCurrentMeter"]
without = interpret.drop_and_compare(forest, X, y, suspects, time="saledate")
show("RMSE without some of these, on the latest fifth of the training sales", without.table)

# The mean of different models is better than each of them; the unimportant columns are dropped.
columns = X.columns.drop(without.drop)
booster, net = BoostingRegressor(max_iter=1000, random_state=0), TabularRegressor(n_nets=1, n_members=4, random_state=0)
ensemble = VotingRegressor([("forest", forest), ("boosting", booster), ("net", net)]).fit(X[columns], y)
print("\nRMSE of the log price, auctions of 2011:")
for name, model in {**ensemble.named_estimators_, "ensemble": ensemble}.items():
    print(f"  {name:<9} {root_mean_squared_error(y_valid, model.predict(X_valid[columns])):.4f}")

# The final models are fitted to 2011 too.
ensemble.fit(auctions[columns], log_price)
submission = future[["SalesID"]].assign(SalePrice=np.exp(ensemble.predict(future[columns])))
check_submission(submission, future[["SalesID"]].assign(SalePrice=0.0))
part = folder / "submission.csv.part"
submission.to_csv(part, index=False)
part.replace(folder / "submission.csv")  # the file appears complete or not at all
print(f"\n{len(submission):,} prices in {folder / 'submission.csv'}, median {submission['SalePrice'].median():,.0f}")

if len(sys.argv) > 1:
    interpret.draw_tree(tree, X, y).figure.savefig(folder / "tree.png", dpi=110, bbox_inches="tight")
    for name, found in {"importance": small.importance, "same": same, "year_made": by_year, "shift": shift}.items():
        found.plot().figure.savefig(folder / f"{name}.png", dpi=110, bbox_inches="tight")
