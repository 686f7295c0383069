"""MovieLens 100k with three models: their errors, the biases of films, and similar films.

    python examples/movielens.py [FOLDER]

Scores on the official split u1, the findings of chapter 8 of the fastai book, and a new user. Saves a map of films if
FOLDER is given. The data: https://grouplens.org/datasets/movielens/100k, by `tabrec download movielens-100k`.
"""

import sys
from pathlib import Path

import pandas as pd
from sklearn.decomposition import PCA

from tabrec import BayesianFactorization, DotProductBias, EmbeddingNN
from tabrec.collab import crosstab, evaluate
from tabrec.datasets import load_movielens, load_movielens_fold

ratings, users, items = load_movielens("100k")
print(crosstab(ratings, n=8, labels=items["title"]).to_string(na_rep="", float_format="%.0f"))

# Scores on the official split u1; the best model also uses features of users and films.
train, test = load_movielens_fold(1)
models = {
    "dot": DotProductBias(random_state=0),
    "nn": EmbeddingNN(random_state=0),
    "bayes": BayesianFactorization(n_sweeps=120, random_state=0),
    "bayes, with features": BayesianFactorization(
        n_sweeps=120, user_features=users, item_features=items, random_state=0
    ),
}
scores = {}
for name, model in models.items():
    table = evaluate(model, train, test)
    scores[name] = table.iloc[0]
scores |= {"biases only": table.loc["biases only"], "most popular": table.loc["most popular"]}
shown = ["rmse", "mae", "rmse_cold", "precision", "recall", "ndcg"]
print("\nFold u1, 20,000 ratings held out; precision, recall and NDCG at 10:")
print(pd.DataFrame(scores).T[shown].round(4).to_string(na_rep=""))

# The findings of the book, by title, on all ratings.
titled = ratings.assign(title=items["title"].reindex(ratings["item"]).to_numpy())
dot = DotProductBias(random_state=0).fit(titled[["user", "title"]], titled["rating"])
bias = dot.item_bias_.sort_values()
print("\nLiked least, whatever the user likes:", *bias.index[:5], sep="\n  ")
print("\nLiked most:", *bias.index[:-6:-1], sep="\n  ")

bayes = BayesianFactorization(n_sweeps=120, random_state=0).fit(titled[["user", "title"]], titled["rating"])
silence = "Silence of the Lambs, The (1991)"
for name, model in (("dot", dot), ("bayes", bayes)):
    print(f"\nNearest to {silence}, by {name}:")
    print(model.similar_items(silence, 5)[["similar", "similarity"]].to_string(index=False, header=False))

# The first principal component of the factors of films.
known = titled["title"].value_counts().index[:200]
first = pd.Series(PCA(2, random_state=0).fit_transform(bayes.item_factors_.loc[known])[:, 0], known).sort_values()
print("\nThe ends of the first principal component of the 200 films rated most:")
print(pd.DataFrame({"one end": first.index[:5], "the other": first.index[:-6:-1]}).to_string(index=False))

# An explanation, and recommendations for a new user.
explanation = bayes.explain(196, "Fargo (1996)")
print(f"\nWhy:\n{explanation}")
new = bayes.new_user({"Star Wars (1977)": 5, "Toy Story (1995)": 4, "English Patient, The (1996)": 1})
print("\nFor a new user who loves Star Wars and hates The English Patient:")
print(new.recommend("new user", 5)[["item", "score"]].round(2).to_string(index=False, header=False))

if len(sys.argv) > 1:
    bayes.plot_items(50).figure.savefig(Path(sys.argv[1]) / "films.png", dpi=110)
