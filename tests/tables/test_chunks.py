"""How estimators take chunks: any subclass of `Chunks` will do."""

import inspect
import subprocess
import sys

import pandas as pd

from tabrec import FillMissing, ForestClassifier
from tabrec.tables.chunks import Chunks


class Recorded(Chunks):
    """Chunks that record what estimators ask of them."""

    schema = {"x": "float64"}
    n_rows = 3

    def __init__(self):
        self.calls = []

    def __iter__(self):
        yield pd.DataFrame({"x": [1.0, 2.0, 4.0]})

    def split(self, n_shards):
        return [self]

    def apply(self, function, columns=None):
        self.calls.append(("apply", columns))
        return [function(frame) for frame in self]

    def fit(self, estimator, y=None, **options):
        self.calls.append(("fit", type(estimator).__name__, y, options))
        return estimator


def test_fit_is_left_to_the_chunks():
    chunks = Recorded()
    forest = ForestClassifier()
    assert forest.fit(chunks, "y") is forest
    forest.fit(chunks, y="y", sample_weight="w")
    FillMissing().fit(chunks)
    assert chunks.calls == [
        ("fit", "ForestClassifier", "y", {}),
        ("fit", "ForestClassifier", "y", {"sample_weight": "w"}),
        ("fit", "FillMissing", None, {}),
    ]


def test_methods_by_row_are_applied_to_each_frame():
    table = pd.DataFrame({"x": [1.0, 2.0, 4.0]})
    forest = ForestClassifier(2, random_state=0, oob_score=False).fit(table, ["low", "low", "high"])
    chunks = Recorded()
    assert forest.predict(chunks)[0].tolist() == forest.predict(table).tolist()
    assert forest.predict_proba(chunks)[0].tolist() == forest.predict_proba(table).tolist()
    assert chunks.calls == [("apply", None), ("apply", ["high", "low"])]


def test_signatures_and_docstrings_stay():
    assert list(inspect.signature(ForestClassifier.fit).parameters) == ["self", "X", "y", "sample_weight"]
    assert ForestClassifier.predict.__doc__
    assert list(inspect.signature(FillMissing.transform).parameters) == ["self", "X"]


def test_chunks_of_tables_need_no_torch():
    code = "import sys, tabrec.scale; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
