"""From clicks to recommendations: models beside popularity, two stages, lists under conditions, reasons.

    python examples/clicks.py [FOLDER]

The clicks are generated, with side tables of the interests of users and of the topics of items. Saves a plot of the
comparison if FOLDER is given.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from tabrec import EASE, BlendedRecommender, BoostingClassifier, ImplicitALS, ItemKNN, TwoStageRecommender
from tabrec.collab import compare_recommenders
from tabrec.datasets import make_interactions

clicks, users, items = make_interactions(20_000, n_users=600, n_items=400, with_features=True, random_state=0)
ids = clicks[["user", "item"]]

# The latest fifth is held out; Popular is always beside.
models = {
    "EASE": EASE(),
    "ALS": ImplicitALS(random_state=0),
    "blend": BlendedRecommender([EASE(), ImplicitALS(random_state=0)], random_state=0),
    "two stages": TwoStageRecommender(
        [EASE(), ItemKNN()],
        BoostingClassifier(max_iter=40, random_state=0),
        n_candidates=50,
        n_draws=1,
        time="timestamp",
        user_features=users,
        item_features=items,
        random_state=0,
    ),
}
comparison = compare_recommenders(models, clicks)
print(comparison.table[["ndcg", "ndcg_se", "recall", "coverage", "fit_seconds"]].round(4).to_string())
print(comparison.summarise())

# Lists for one user: all items, without two of them, at most two of a topic, and less alike.
model = EASE(item_features=items).fit(ids)
user = int(clicks["user"].value_counts().index[100])
plain = model.recommend(user, 6)
barred = pd.DataFrame({"user": user, "item": plain["item"].iloc[:2]})
lists = {
    "best": plain,
    "two excluded": model.recommend(user, 6, exclude=barred),
    "two of a topic": model.recommend(user, 6, diversity={"topic": 2}),
    "less alike": model.recommend(user, 6, diversity=0.5),
}
print(f"\nFor user {user}:")
for name, found in lists.items():
    topics = ", ".join(f"{item} ({items['topic'][item]})" for item in found["item"])
    print(f"  {name:<16}{topics}")

# Items that nobody has clicked are known by their topics.
new_items = pd.DataFrame({"topic": [items["topic"][plain["item"].iloc[0]], "topic 1"]}, index=[9001, 9002])
cold = EASE(item_features=pd.concat([items, new_items])).fit(ids)
found = cold.recommend(user, len(items) + 2, include_cold=True).set_index("item")["rank"]
print(f"\nOf {len(found)} items, those without clicks are at", found[[9001, 9002]].to_dict())

# Why: the clicks of the user that argue for the first item, which sum to its score.
why = model.explain(user, plain["item"].iloc[0], n=1_000)
assert np.isclose(why.ratings["contribution"].sum(), why.prediction)
print(f"\nWhy item {why.item}, with a score of {why.prediction:.3f}:")
print(why.ratings.head(5)[["item", "contribution"]].round(3).to_string(index=False))

if len(sys.argv) > 1:
    comparison.plot().figure.savefig(Path(sys.argv[1]) / "comparison.png", dpi=110)
