"""Custom torch modules in the estimators: training, scoring, cloning and interpretation."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torch import nn

from tabrec import EmbeddingEncoder, TabularClassifier, TabularModel, TabularRegressor, find_learning_rate, save
from tabrec.datasets import make_auctions, make_ratings
from tabrec.interpret import contributions, partial_dependence

COLUMNS = ["YearMade", "ProductSize", "state"]


class Linear(nn.Module):
    """One number per label and one weight per continuous column."""

    def __init__(self, category_sizes, n_continuous, n_outputs, scale=1.0):
        super().__init__()
        self.scale = scale
        self.of_labels = nn.ModuleList(nn.Embedding(n, n_outputs) for n in category_sizes.values())
        self.of_numbers = nn.Linear(n_continuous, n_outputs)

    def forward(self, codes, numbers):
        labels = sum(table(codes[:, position]) for position, table in enumerate(self.of_labels))
        return self.scale * (self.of_numbers(numbers) + labels)


def make_scaled(category_sizes, n_continuous, n_outputs):
    return Linear(category_sizes, n_continuous, n_outputs, scale=0.1)


class WrongShape(Linear):
    def forward(self, codes, numbers):
        return super().forward(codes, numbers)[:, 0]


@pytest.fixture(scope="module")
def table():
    auctions = make_auctions(600, random_state=0)
    return auctions[COLUMNS], np.log(auctions["SalePrice"])


def net(module=Linear, **others):
    return TabularRegressor(module=module, epochs=40, learning_rate=0.05, random_state=0).set_params(**others)


def test_it_is_trained_cloned_and_searched(table):
    X, y = table
    fitted = net().fit(X, y)
    assert isinstance(fitted.model_.net, Linear)
    assert fitted.score(X, y) > 0.3
    assert fitted.history_["train_loss"].iloc[-1] < 0.7 * fitted.history_["train_loss"].iloc[0]
    again = clone(fitted).fit(X, y)
    np.testing.assert_array_equal(fitted.predict(X), again.predict(X))
    search = GridSearchCV(net(epochs=3), {"module": [Linear, make_scaled]}, cv=2).fit(X, y)
    assert len(search.cv_results_["params"]) == 2
    assert find_learning_rate(net(), X, y).valley > 0


def test_it_gets_the_inputs_of_tabular_model(table):
    X, y = table
    fitted = net(TabularModel, epochs=2).fit(X, y)
    assert isinstance(fitted.model_.net, TabularModel)
    assert list(fitted.model_.net.config["category_sizes"]) == ["ProductSize", "state"]


def test_a_classifier_and_several_outputs(table):
    X, y = table
    dear = np.where(y > y.median(), "dear", "cheap")
    classifier = TabularClassifier(module=Linear, epochs=20, learning_rate=0.05, random_state=0).fit(X, dear)
    assert classifier.predict_proba(X).shape == (600, 2)
    assert classifier.score(X, dear) > 0.65
    both = np.column_stack([y, -y])
    assert net().fit(X, both).predict(X).shape == (600, 2)


def test_messy_rows_are_predicted(table):
    X, y = table
    fitted = net(unknown_rate=0.1).fit(X, y)
    odd = X.head(3).assign(state=["nowhere", None, "Texas"], YearMade=[np.nan, 1990, 1990])
    predicted = fitted.predict(odd)
    assert np.isfinite(predicted).all()
    np.testing.assert_allclose(predicted[1], fitted.predict(odd[1:2])[0], rtol=1e-6)
    assert abs(predicted - y.mean()).max() < 5 * y.std()


def test_unknown_labels_are_trained_and_outputs_kept_in_range():
    ratings = make_ratings(3_000, random_state=0)
    X, y = ratings[["user", "item"]], ratings["rating"]
    seen = []

    class Watching(Linear):
        def forward(self, codes, numbers):
            if self.training:
                seen.append(codes.clone())
            return super().forward(codes, numbers)

    fitted = net(Watching, epochs=2, unknown_rate=0.2, y_range=(0, 6), categorical_features=["user", "item"]).fit(X, y)
    share = (torch.cat(seen) == 0).float().mean().item()
    assert 0.15 < share < 0.25
    predicted = fitted.predict(pd.DataFrame({"user": [1, -1], "item": [-1, 1]}))
    assert ((predicted > 0) & (predicted < 6)).all()


def test_contributions_and_partial_dependence_support_it(table):
    X, y = table
    fitted = net(epochs=5).fit(X, y)
    found = contributions(fitted, X.head(4), background=X)
    assert found.method == "occlusion"
    np.testing.assert_allclose(found.prediction, fitted.predict(X.head(4)))
    assert len(partial_dependence(fitted, X, "YearMade").table)
    with pytest.raises(TypeError, match="module of its own"):
        contributions(fitted, X, background=X, method="integrated_gradients")


@pytest.mark.parametrize(
    ("module", "error", "message"),
    [
        (lambda *sizes: "no net", TypeError, r"module must return a torch\.nn\.Module; got str"),
        (WrongShape, ValueError, r"shape \(n_rows, n_outputs\), here \(2, 1\), or .* got \(2,\)"),
        ("Linear", ValueError, "'module' parameter"),
    ],
)
def test_an_invalid_module_raises_before_training(table, module, error, message):
    with pytest.raises(error, match=message):
        net(module).fit(*table)


def test_unsupported_uses_raise(table, tmp_path):
    X, y = table
    fitted = net(epochs=1).fit(X, y)
    assert not hasattr(fitted, "embeddings_")
    with pytest.raises(AttributeError, match=r"model_\.net"):
        fitted.embeddings_  # noqa: B018
    with pytest.raises(TypeError, match=r"TabularRegressor\.module .* cannot be saved"):
        save(fitted, tmp_path / "model")
    assert not (tmp_path / "model").exists()
    with pytest.raises(ValueError, match="estimator with module= are not known"):
        EmbeddingEncoder(net()).fit(X, y)
