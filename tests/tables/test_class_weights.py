"""Class weights by label: absent classes, labels of another type, and the weights of rows."""

import numpy as np
import pytest

from tabrec.tables.class_weights import check_class_weights, weigh_classes


@pytest.mark.parametrize(
    "y",
    [["a", "b", "b"], [True, False, False], [1, 2, 2], [1.0, 2.0, 2.0], np.array(["a", "b", "b"], dtype=object)],
    ids=str,
)
def test_each_row_has_the_weight_of_its_label(y):
    y = np.asarray(y)
    weights = {y[0]: 5.0, y[1]: 0.5, "a class that this fold lacks": 9.0}
    check_class_weights(weights, y)
    assert weigh_classes(weights, y).tolist() == [5.0, 0.5, 0.5]
    assert weigh_classes("balanced", y).tolist() == [1.5, 0.75, 0.75]


def test_classes_without_a_weight_have_weight_1():
    check_class_weights({"b": 3}, np.array(["a", "b"]))
    assert weigh_classes({"b": 3}, np.array(["a", "b"])).tolist() == [1.0, 3.0]


def test_labels_of_another_type_than_those_of_y_are_named():
    with pytest.raises(ValueError, match=r"class_weight has '1' \(str\), which y lacks, but not 1 \(int\), 2 \(int\)"):
        check_class_weights({"1": 5}, np.array([1, 2]))


@pytest.mark.parametrize("weights", [{1: -1}, {1: float("nan")}, {1: 0, 2: 0}], ids=str)
def test_weights_are_not_negative_missing_or_all_0(weights):
    with pytest.raises(ValueError, match="must not be negative or missing"):
        check_class_weights(weights, np.array([1, 2]))


def test_each_output_has_weights_of_its_own():
    y = np.array([["a", "x"], ["b", "y"]])
    check_class_weights([{"a": 1, "b": 2}, {"x": 3}], y)
    with pytest.raises(ValueError, match="'z'"):
        check_class_weights([{"a": 1, "b": 2}, {"z": 3}], y)
