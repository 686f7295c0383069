"""`ForestGrower`: grows the trees of a forest on the ranks of its table, which are computed once."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from math import ceil
from numbers import Integral
from typing import Any

import numpy as np
from joblib import effective_n_jobs, parallel_config
from joblib.parallel import get_active_backend
from sklearn.base import is_classifier
from sklearn.tree._tree import NODE_DTYPE, Tree
from sklearn.utils import check_random_state, compute_sample_weight

from tabrec.tables.compiled import find_compiled
from tabrec.trees.grower.library import Settings, check_memory, load_functions
from tabrec.trees.grower.walking import describe_trees

_CRITERIA = {"squared_error": 0, "gini": 1, "entropy": 2, "log_loss": 2}
_MOST_CLASSES = 256
# Every node stores a share for each class; trees with more classes would not fit into memory.
_MOST_CLASSES_OF_FORESTS = 10_000
# The grower packs the sum of integer weights and the number of rows into one double below this sum.
_LARGEST_PACKED = 2**25
_STOPPED = 2
_generators = threading.local()
# Fields of nodes in the order of `grower_write`.
_FIELDS = (
    *("left_child", "right_child", "feature", "n_node_samples"),
    *("threshold", "impurity", "weighted_n_node_samples", "missing_go_to_left"),
)
_OFFSETS = np.array([NODE_DTYPE.fields[name][1] for name in _FIELDS], dtype=np.int64)


def why_not_grown(forest: Any, matrix: np.ndarray, y: np.ndarray) -> str:
    """Return why the grower cannot grow a forest, so that scikit-learn's builder has to; empty if it can."""
    library = find_compiled()
    if library.functions is None:
        return library.reason
    if forest.criterion not in _CRITERIA:
        return f"criterion={forest.criterion!r}"
    outputs = y.reshape(len(y), -1).T
    if len(outputs) > 1 and forest.monotonic_cst is not None:
        return "monotonic_cst of several outputs"
    if is_classifier(forest) and max(len(np.unique(output)) for output in outputs) > _MOST_CLASSES:
        return f"more than {_MOST_CLASSES} classes"
    if not np.isfinite(matrix.sum(dtype=np.float64)):
        return "missing or infinite values"
    return ""


def check_class_count(y: np.ndarray) -> None:
    """Raise a ValueError for a target of too many classes, before any work."""
    classes = np.unique(y)
    if len(classes) > _MOST_CLASSES_OF_FORESTS:
        raise ValueError(
            f"y has {len(classes):,} classes, such as {classes[0]!s} and {classes[-1]!s}, but a forest takes at most "
            f"{_MOST_CLASSES_OF_FORESTS:,}: use ForestRegressor for numbers, merge rare classes, or check that y is "
            "not a column of ids."
        )


def in_threads(n_jobs: int | None) -> AbstractContextManager[Any]:
    """Let joblib grow trees in threads, because other processes do not have the ranks."""
    backend, _ = get_active_backend(prefer="threads")
    if getattr(backend, "supports_sharedmem", False):
        return nullcontext()
    return parallel_config("threading", n_jobs=effective_n_jobs(n_jobs))


def is_grown(tree: Any) -> bool:
    """Return whether a tree that another thread grows is complete, as its capacity then equals its number of nodes."""
    nodes = getattr(tree, "tree_", None)
    return nodes is not None and 0 < nodes.node_count == nodes.capacity


@contextmanager
def fastest_grower(forest: Any, matrix: np.ndarray, y: np.ndarray) -> Iterator[ForestGrower | None]:
    """Yield the grower for a forest, None if scikit-learn's builder has to grow it; records which one is used."""
    why_not = why_not_grown(forest, matrix, y)
    forest.grower_ = f"scikit-learn's ({why_not})" if why_not else str(find_compiled())
    if why_not:
        yield None
        return
    grower = ForestGrower(matrix)
    del matrix  # drops the reference, so that the caller can free the matrix
    with grower, in_threads(forest.n_jobs):
        yield grower


class ForestGrower:
    """Grows trees of scikit-learn from one table; use it as a context manager, which ends threads and frees the ranks.

    It keeps the ranks alone, so that the table may be freed; `stand_in` has its shape, which scikit-learn checks.
    The features drawn, the splits and their order are those of scikit-learn's best splitter, so that trees are equal
    wherever the sums of the target are exact; elsewhere, splits of equal gain may differ by the rounding of sums.
    """

    def __init__(self, matrix: np.ndarray):
        self._matrix: np.ndarray | None = matrix
        self.stand_in = np.broadcast_to(np.float32(0), matrix.shape)
        self._codes = ctypes.c_void_p()
        self._stop = ctypes.c_int32(0)
        self._n_growing = 0
        self._changed = threading.Condition()
        self._functions = load_functions()

    def __enter__(self) -> ForestGrower:
        matrix, self._matrix = self._matrix, None
        assert matrix is not None, "A grower is entered once."
        row_step, column_step = (stride // 4 for stride in matrix.strides)
        outcome = self._functions.grower_encode(
            matrix.ctypes.data, *matrix.shape, row_step, column_step, ctypes.byref(self._codes)
        )
        check_memory(outcome, "rank the columns")
        return self

    def __exit__(self, *error: object) -> None:
        # After an interruption, other threads may still be growing trees.
        self._stop.value = 1
        with self._changed:
            self._changed.wait_for(lambda: self._n_growing == 0)
            self._functions.grower_free_codes(self._codes)
            self._codes = ctypes.c_void_p()

    def take_over(self, tree: Any) -> None:
        """Replace the next fit of a tree estimator by one with this grower."""
        tree._fit = partial(self._fit_once, tree)

    def _fit_once(self, tree: Any, *arguments: Any, **options: Any) -> Any:
        del tree._fit
        return self.fit_tree(tree, *arguments, **options)

    def fit_tree(self, tree: Any, X: np.ndarray, y: np.ndarray, sample_weight: Any = None, **_: Any) -> Any:
        """Fit a tree estimator as its own `_fit` would; X has the values of the table."""
        outputs, weights = _describe_target(tree, X, y, sample_weight)
        # For several outputs, the grower looks up the targets of a row by its number.
        target = outputs.ravel() if tree.n_outputs_ == 1 else np.arange(len(X), dtype=np.float64)
        settings, kept = _settings(tree, outputs, weights)
        settings.stop = ctypes.addressof(self._stop)
        nodes = ctypes.c_void_p()
        with self._growing():
            outcome = self._functions.grower_grow(
                self._codes,
                ctypes.byref(settings),
                target.ctypes.data,
                None if weights is None else weights.ctypes.data,
                ctypes.byref(nodes),
            )
        del kept
        check_memory(outcome, "grow a tree")
        if outcome == _STOPPED:
            raise RuntimeError("The growth of the tree was stopped.")
        try:
            tree.tree_ = self._to_tree(nodes, tree)
        finally:
            self._functions.grower_free_nodes(nodes)
        tree._prune_tree()
        return tree

    def predict_rows(self, tree: Tree, rows: np.ndarray) -> np.ndarray:
        """Return the values of the leaf of each of the given rows of the table: (n_rows, n_values, n_outputs)."""
        rows = np.ascontiguousarray(rows, dtype=np.int64)
        leaves = np.empty(len(rows), dtype=np.int32)
        fitted, _kept = describe_trees([tree])
        with self._growing():
            outcome = self._functions.grower_find_leaves_of_codes(
                self._codes, fitted, rows.ctypes.data, len(rows), leaves.ctypes.data
            )
        check_memory(outcome, "predict out of bag")
        return tree.value[leaves].transpose(0, 2, 1)

    @contextmanager
    def _growing(self) -> Iterator[None]:
        with self._changed:
            if self._codes.value is None:
                raise RuntimeError("The growth of the forest has ended.")
            self._n_growing += 1
        try:
            yield
        finally:
            with self._changed:
                self._n_growing -= 1
                self._changed.notify_all()

    def _to_tree(self, nodes: ctypes.c_void_p, tree: Any) -> Tree:
        """Return the grown nodes as a tree of scikit-learn."""
        count = self._functions.grower_count(nodes)
        n_classes = _class_counts(tree)
        table = np.zeros(count, dtype=NODE_DTYPE)
        values = np.empty((count, len(n_classes), n_classes.max()))
        self._functions.grower_write(
            nodes, table.ctypes.data, NODE_DTYPE.itemsize, _OFFSETS.ctypes.data, values.ctypes.data
        )
        grown = Tree(tree.n_features_in_, n_classes, len(n_classes))
        depth = self._functions.grower_depth(nodes)
        grown.__setstate__({"max_depth": depth, "node_count": count, "nodes": table, "values": values})
        return grown


def _describe_target(tree: Any, X: np.ndarray, y: np.ndarray, weights: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Set the attributes of a tree that describe its target; return the outputs of each row, classes as positions."""
    tree.n_features_in_, tree.n_outputs_ = X.shape[1], y.shape[1]
    weights = None if weights is None else np.ascontiguousarray(weights, dtype=np.float64)
    if not is_classifier(tree):
        return np.ascontiguousarray(y, dtype=np.float64), weights
    found = [np.unique(output, return_inverse=True) for output in y.T]
    classes = [of_output for of_output, _ in found]
    tree.classes_ = classes[0] if len(classes) == 1 else classes
    n_classes = np.array([len(of_output) for of_output in classes], dtype=np.intp)
    tree.n_classes_ = n_classes[0] if len(classes) == 1 else n_classes
    if tree.class_weight is not None:
        expanded = compute_sample_weight(tree.class_weight, y)
        weights = expanded if weights is None else weights * expanded
    codes = [positions.reshape(len(X)) for _, positions in found]
    return np.ascontiguousarray(np.column_stack(codes), dtype=np.float64), weights


def _class_counts(tree: Any) -> np.ndarray:
    """Return the number of classes of each output; 1 for a number."""
    if is_classifier(tree):
        return np.atleast_1d(tree.n_classes_)
    return np.ones(tree.n_outputs_, dtype=np.intp)


def _settings(tree: Any, outputs: np.ndarray, weights: np.ndarray | None) -> tuple[Settings, Any]:
    """Return the parameters of a tree as numbers, and the arrays that they point to."""
    n_rows, n_outputs = outputs.shape
    total = float(n_rows if weights is None else weights.sum())
    least_leaf = _rows_of(tree.min_samples_leaf, n_rows)
    least_split = tree.min_samples_split
    if not isinstance(least_split, Integral):
        least_split = max(2, ceil(least_split * n_rows))
    tree.max_features_ = _max_features(tree.max_features, tree.n_features_in_)
    monotonic, counts = _constraints(tree), _class_counts(tree).astype(np.int32)
    is_packed = weights is None or (total < _LARGEST_PACKED and bool((weights == np.floor(weights)).all()))
    settings = Settings(
        criterion=_CRITERIA[tree.criterion],
        n_classes=int(tree.n_classes_) if is_classifier(tree) and n_outputs == 1 else 0,
        max_features=tree.max_features_,
        min_samples_split=max(least_split, 2 * least_leaf),
        min_samples_leaf=least_leaf,
        max_depth=np.iinfo(np.int32).max if tree.max_depth is None else tree.max_depth,
        max_leaves=0 if tree.max_leaf_nodes is None else tree.max_leaf_nodes,
        min_weight_leaf=tree.min_weight_fraction_leaf * total,
        min_impurity_decrease=tree.min_impurity_decrease,
        total_weight=total,
        monotonic=None if monotonic is None else monotonic.ctypes.data,
        outputs=outputs.ctypes.data,
        classes_of_outputs=counts.ctypes.data if is_classifier(tree) else None,
        seed=_draw_seed(tree.random_state),
        is_packed=int(is_packed and n_rows < _LARGEST_PACKED),
        n_outputs=n_outputs,
        has_random_splits=int(tree.splitter == "random"),
    )
    return settings, (outputs, monotonic, counts)


def _draw_seed(random_state: Any) -> int:
    """Return the number that seeds the splitter of scikit-learn's builder."""
    if isinstance(random_state, Integral):
        # Creating a generator gathers entropy, which takes a tenth of the time of a small tree.
        if not hasattr(_generators, "of_thread"):
            _generators.of_thread = np.random.RandomState(0)
        generator = _generators.of_thread
        generator.seed(random_state)
    else:
        generator = check_random_state(random_state)
    return generator.randint(0, np.iinfo(np.int32).max)


def _rows_of(least: Any, n_rows: int) -> int:
    return int(least) if isinstance(least, Integral) else ceil(least * n_rows)


def _max_features(given: Any, n_columns: int) -> int:
    if given == "sqrt":
        return max(1, int(np.sqrt(n_columns)))
    if given == "log2":
        return max(1, int(np.log2(n_columns)))
    if given is None:
        return n_columns
    return int(given) if isinstance(given, Integral) else max(1, int(given * n_columns))


def _constraints(tree: Any) -> np.ndarray | None:
    """Return the monotonic constraints of the columns as signs, which refer to the first class of a classifier."""
    if tree.monotonic_cst is None:
        return None
    given = np.asarray(tree.monotonic_cst)
    if len(given) != tree.n_features_in_:
        raise ValueError(
            f"monotonic_cst has shape {len(given)} but the input data X has {tree.n_features_in_} features."
        )
    if not np.isin(given, (-1, 0, 1)).all():
        raise ValueError(f"monotonic_cst must be None or an array-like of -1, 0 or 1, but got {np.unique(given)}")
    if is_classifier(tree) and tree.n_classes_ > 2:
        raise ValueError("Monotonicity constraints are not supported with multiclass classification")
    return np.ascontiguousarray(-given if is_classifier(tree) else given, dtype=np.int8)
