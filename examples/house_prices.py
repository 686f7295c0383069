"""House Prices: four models and their mean compared by 5-fold cross-validation, and a file to submit to Kaggle.

    python examples/house_prices.py [FOLDER]

Ridge regression, a forest, boosted trees, a net with dropout and weight decay, and their mean, with the tools of
scikit-learn. The error is Kaggle's: RMSE of the log price. Writes submission.csv, in FOLDER if it is given.
The data: https://www.kaggle.com/c/house-prices-advanced-regression-techniques, by `tabrec download house-prices`.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import VotingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from tabrec import BoostingRegressor, ForestRegressor, TabularRegressor
from tabrec.datasets import check_submission, load_house_prices

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
houses, new_houses = load_house_prices()
log_price = np.log(houses.pop("SalePrice"))


# New features, computed row by row: nothing is fitted, so nothing leaks between folds.
def prepare(table: pd.DataFrame) -> pd.DataFrame:
    table = table.fillna(dict.fromkeys(table.filter(regex="Bsmt.*(SF|Bath)|Garage(Cars|Area)"), 0))  # NaN means none
    area = table["GrLivArea"] + table["TotalBsmtSF"]
    return table.drop(columns="Id").assign(
        MSSubClass=table["MSSubClass"].astype(str),  # a code, not a number
        TotalArea=area,
        AreaByQuality=area * table["OverallQual"],
        Age=(table["YrSold"] - table["YearBuilt"]).clip(lower=0),
    )


# tabrec accepts the raw table; ridge regression needs one-hot labels and logarithms of skewed numbers.
numbers = make_pipeline(SimpleImputer(strategy="median"), FunctionTransformer(np.log1p), StandardScaler())
labels = OneHotEncoder(min_frequency=5, handle_unknown="infrequent_if_exist")
in_numbers = make_column_transformer(
    (numbers, make_column_selector(dtype_include="number")), (labels, make_column_selector(dtype_exclude="number"))
)
models = {
    "ridge": make_pipeline(in_numbers, Ridge(10)),
    "forest": ForestRegressor(60, random_state=0),
    "boosting": BoostingRegressor(max_iter=1000, random_state=0),
    "net": TabularRegressor(n_members=2, epochs=16, dropout=0.2, random_state=0),
}
models = {name: make_pipeline(FunctionTransformer(prepare), model) for name, model in models.items()}

# Each house is predicted out of fold. The mean of the models is what a VotingRegressor predicts.
folds = KFold(5, shuffle=True, random_state=0)
predicted = {name: cross_val_predict(model, houses, log_price, cv=folds) for name, model in models.items()}
predicted["ensemble"] = np.mean(list(predicted.values()), axis=0)
print(f"{len(houses):,} houses, {houses.shape[1]} columns; RMSE of the log price, mean and SD of 5 folds:")
for name, log_guess in predicted.items():
    errors = [root_mean_squared_error(log_price.iloc[test], log_guess[test]) for _, test in folds.split(houses)]
    print(f"  {name:<10} {np.mean(errors):.4f} ± {np.std(errors, ddof=1):.4f}")

# A few houses make the SD large. These two are very large, of the best quality, and were sold unfinished:
worst = (predicted["ensemble"] - log_price).abs().nlargest(2).index
print("\nThe two worst predictions:\n", houses.loc[worst, ["GrLivArea", "OverallQual", "SaleCondition"]], sep="")

ensemble = VotingRegressor(list(models.items())).fit(houses, log_price)
submission = pd.DataFrame({"Id": new_houses["Id"], "SalePrice": np.exp(ensemble.predict(new_houses))})
check_submission(submission, pd.DataFrame({"Id": new_houses["Id"], "SalePrice": 0.0}))
part = folder / "submission.csv.part"
submission.to_csv(part, index=False)
part.replace(folder / "submission.csv")  # the file appears complete or not at all
print(f"\n{len(submission):,} prices in {folder / 'submission.csv'}, median {submission['SalePrice'].median():,.0f}")
