"""Maps of vectors: principal components with known answers, and labels that do not overlap."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg

from tabrec.plotting.maps import draw_labelled, principal_components


def test_components_of_points_on_a_line_are_its_coordinates():
    line = np.outer(np.arange(5.0), [0.6, 0.8, 0.0])
    found = principal_components(line)
    np.testing.assert_allclose(np.abs(found[:, 0]), [2, 1, 0, 1, 2], atol=1e-12)
    np.testing.assert_allclose(found[:, 1], 0, atol=1e-12)


def test_components_have_a_fixed_sign_and_two_columns():
    vectors = np.random.default_rng(0).normal(size=(20, 4))
    found = principal_components(vectors)
    np.testing.assert_allclose(principal_components(-vectors[:, ::-1]), found, atol=1e-10)
    assert (found[np.abs(found).argmax(axis=0), [0, 1]] > 0).all()
    assert principal_components(np.ones((3, 1))).shape == (3, 2)


def test_labels_of_crowded_points_do_not_overlap():
    points = np.column_stack([np.linspace(0, 1, 12), np.zeros(12)])
    ax = draw_labelled(points, [f"label {i}" for i in range(12)], "A map", None)
    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in ax.texts]
    assert ax.get_title() == "A map"
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
