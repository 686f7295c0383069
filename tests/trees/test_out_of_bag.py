import numpy as np
import pytest

from tabrec.trees.out_of_bag import left_out_rows, map_in_order, mean_and_spread, predict_out_of_bag


def test_copies_of_a_drawn_row_are_not_left_out():
    rows = np.array([0, 0, 2, 3])
    np.testing.assert_array_equal(left_out_rows(rows, np.array([1, 3])), [2])


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_each_row_is_predicted_by_the_trees_that_left_it_out(n_jobs):
    drawn = [np.array([0, 1]), np.array([0, 2]), np.array([0, 1])]
    matrix = np.array([[1.0], [2.0], [3.0]], dtype=np.float32)
    mean, spread, count = predict_out_of_bag(
        lambda tree, X, rows: X[rows] + tree,
        [10, 20, 40],
        drawn,
        matrix,
        np.arange(3),
        shape=(1,),
        centre=20.0,
        n_jobs=n_jobs,
    )
    np.testing.assert_array_equal(count, [0, 1, 2])
    np.testing.assert_array_equal(mean[:, 0], [np.nan, 22, 28])
    np.testing.assert_array_equal(spread[:, 0], [np.nan, 0, 15])


def test_spread_over_the_first_trees_and_over_all():
    predictions = np.array([[1.0, 5.0], [3.0, 5.0], [8.0, 5.0]])
    found = mean_and_spread(iter(predictions), n_first=2)
    np.testing.assert_allclose(found.mean, [4, 5])
    np.testing.assert_allclose(found.spread, predictions.std(axis=0))
    np.testing.assert_allclose(found.of_first, [1, 0])


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_results_are_in_the_order_of_the_inputs(n_jobs):
    assert list(map_in_order(lambda a, b: a - b, range(50), range(0, 100, 2), n_jobs=n_jobs)) == [-n for n in range(50)]
