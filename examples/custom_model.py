"""Your own torch modules, trained by the estimator: a dot product of factors, and layers over embeddings.

    TABREC_DATA_DIR=/path/to/data python examples/custom_model.py

`TabularRegressor(module=...)` trains any torch module that is made from the number of codes of each category column,
the number of continuous columns and the number of outputs. The estimator handles unknown users and films, the scale of
the ratings, the range of the predictions and the training loop. Trains on split u1 of MovieLens 100k with three
optimizers, and predicts the 20,000 ratings held out.
"""

import torch
from sklearn.metrics import root_mean_squared_error
from torch import nn

from tabrec import TabularRegressor
from tabrec.datasets import load_movielens_fold

COLUMNS = ["user", "item"]


class EmbeddingDot(nn.Module):
    """Dot product of the factors of user and film, plus a bias of each."""

    def __init__(self, category_sizes, n_continuous, n_outputs, n_factors=50):
        super().__init__()
        self.factors = nn.ModuleList(nn.Embedding(n_codes, n_factors) for n_codes in category_sizes.values())
        self.biases = nn.ModuleList(nn.Embedding(n_codes, 1) for n_codes in category_sizes.values())
        for table in [*self.factors, *self.biases]:
            nn.init.normal_(table.weight, std=0.05)

    def forward(self, codes, numbers):
        user, item = (table(column) for table, column in zip(self.factors, codes.T, strict=True))
        biases = sum(table(column) for table, column in zip(self.biases, codes.T, strict=True))
        return (user * item).sum(dim=1, keepdim=True) + biases


class EmbeddingNet(nn.Module):
    """Layers over the concatenated embeddings of user and film."""

    def __init__(self, category_sizes, n_continuous, n_outputs, n_factors=50, n_hidden=100):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(n_codes, n_factors) for n_codes in category_sizes.values())
        for table in self.tables:
            nn.init.normal_(table.weight, std=0.05)
        self.layers = nn.Sequential(
            nn.Dropout(0.1),
            nn.Linear(n_factors * len(self.tables) + n_continuous, n_hidden),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(n_hidden, n_outputs),
        )

    def forward(self, codes, numbers):
        embedded = [table(column) for table, column in zip(self.tables, codes.T, strict=True)]
        return self.layers(torch.cat([*embedded, numbers], dim=1))


# Learning rates differ by optimizer. Adam adds the weight decay to the gradient; the others decouple it.
OPTIMIZERS = {
    "sgd": {"learning_rate": 1.0, "weight_decay": 0.0, "momentum": 0.9},
    "adam": {"learning_rate": 5e-3, "weight_decay": 1e-4},
    "adamw": {"learning_rate": 5e-3, "weight_decay": 0.3},
}

train, test = load_movielens_fold(1)
print("RMSE on fold u1; predicting the mean of the training ratings:", end=" ")
print(f"{root_mean_squared_error(test['rating'], [train['rating'].mean()] * len(test)):.4f}")
for module in (EmbeddingDot, EmbeddingNet):
    for optimizer, settings in OPTIMIZERS.items():
        net = TabularRegressor(module=module, categorical_features=COLUMNS, y_range=(0.5, 5.5), unknown_rate=0.02)
        net.set_params(optimizer=optimizer, epochs=5, batch_size=512, random_state=0, **settings)
        net.fit(train[COLUMNS], train["rating"])
        error = root_mean_squared_error(test["rating"], net.predict(test[COLUMNS]))
        losses = " ".join(f"{loss:.3f}" for loss in net.history_["train_loss"])
        print(f"  {module.__name__:<12} {optimizer:<6} {error:.4f}   training loss by epoch: {losses}")
