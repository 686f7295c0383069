import numpy as np
import pytest
import torch

from tabrec.collab.dot_product_net import DotProduct, history_features
from tabrec.neural.losses import regression_loss
from tabrec.neural.training_data import TrainingData, mean_loss


def some_rows(n_users, n_items, n_rows=40, weighted=False):
    generator = torch.Generator().manual_seed(3)
    users = torch.randint(0, n_users + 1, (n_rows, 1), generator=generator)
    items = torch.randint(0, n_items + 1, (n_rows, 1), generator=generator)
    target = torch.rand(n_rows, 1, generator=generator) * 4 + 1
    weight = torch.rand(n_rows, generator=generator) if weighted else None
    return TrainingData((torch.cat([users, items], dim=1),), target, weight)


def some_model(**arguments):
    """A model of 5 users and 4 items with nonzero weights."""
    torch.manual_seed(0)
    model = DotProduct(5, 4, 3, mean=3.0, **arguments)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.5)
    model.set_features(
        users=np.vstack([np.zeros((1, 2)), np.arange(10).reshape(5, 2) / 10]) if model.user_map is not None else None,
        items=np.vstack([np.zeros((1, 1)), np.arange(4).reshape(4, 1) / 4]) if model.item_map is not None else None,
    )
    return model


def gradients_of_autograd(model, rows, penalty):
    """Gradients of the error plus half the penalty times the squared norm of each selected row."""
    own = model.vectors(rows.inputs[0] + model.offsets)
    loss = mean_loss(regression_loss("mse"), model(*rows.inputs), rows)
    (loss + penalty / 2 * own.square().sum() / len(rows)).backward()
    gradients = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()
    return loss.detach(), gradients


def test_rating_is_the_sigmoid_of_biases_and_product():
    model = DotProduct(2, 1, 2, mean=3.0, y_range=(1, 6))
    with torch.no_grad():
        #                                             unknown  user 1       user 2       unknown  item 1
        model.vectors.weight.copy_(torch.tensor([[0, 0, 0.0], [1, 2, 0.1], [0, 1, -0.2], [0, 0, 0], [0.5, 0.25, 0.3]]))
    of_mean = np.log((3 - 1) / (6 - 3))
    sums = np.array([of_mean + 0.1 + 0.3 + 0.5 + 0.5, of_mean - 0.2 + 0.3 + 0.25, of_mean])
    ratings = model(torch.tensor([[1, 1], [2, 1], [0, 0]])).detach().numpy().ravel()
    np.testing.assert_allclose(ratings, 1 + 5 / (1 + np.exp(-sums)), rtol=1e-6)
    assert ratings[2] == pytest.approx(3.0)


def test_without_a_range_rating_is_the_plain_sum():
    model = DotProduct(1, 1, 1, mean=3.5)
    with torch.no_grad():
        model.vectors.weight.copy_(torch.tensor([[0.0, 0], [2, 0.25], [0, 0], [3, -0.5]]))
    assert model(torch.tensor([[1, 1], [0, 1]])).tolist() == [[3.5 + 0.25 - 0.5 + 6], [3.0]]


@pytest.mark.parametrize("y_range", [None, (0.5, 5.5)])
@pytest.mark.parametrize("n_features", [(0, 0), (2, 1), (0, 1)])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("penalty", [0.0, 0.3])
def test_gradients_in_closed_form_are_those_of_autograd(y_range, n_features, weighted, penalty):
    users, items = n_features
    model = some_model(y_range=y_range, row_penalty=penalty, n_user_features=users, n_item_features=items)
    rows = some_rows(5, 4, weighted=weighted)
    expected_loss, expected = gradients_of_autograd(model, rows, penalty)
    loss = model.loss_and_gradients(rows)
    assert float(loss) == pytest.approx(float(expected_loss), rel=1e-5)
    for parameter, gradient in zip(model.parameters(), expected, strict=True):
        np.testing.assert_allclose(parameter.grad.numpy(), gradient.numpy(), rtol=1e-4, atol=1e-6)


def test_gradients_do_not_add_up_over_steps():
    model, rows = some_model(), some_rows(5, 4)
    model.loss_and_gradients(rows)
    first = model.vectors.weight.grad.clone()
    model.loss_and_gradients(rows)
    assert torch.equal(model.vectors.weight.grad, first)


def test_config_makes_a_model_that_takes_the_weights_and_features():
    model = some_model(y_range=(0, 6), n_user_features=2, n_item_features=1)
    copy = DotProduct(**model.config)
    copy.load_state_dict(model.state_dict())
    codes = some_rows(5, 4).inputs[0]
    assert torch.equal(copy(codes), model(codes))


@pytest.mark.parametrize("n_features", [(0, 0), (2, 1)])
def test_tables_reproduce_the_ratings(n_features):
    model = some_model(n_user_features=n_features[0], n_item_features=n_features[1])
    users, items = model.tables()
    codes = some_rows(5, 4).inputs[0]
    u, i = users[codes[:, 0]], items[codes[:, 1]]
    expected = model.base.item() + u[:, -1] + i[:, -1] + (u[:, :-1] * i[:, :-1]).sum(axis=1)
    np.testing.assert_allclose(model(codes).detach().numpy().ravel(), expected, rtol=1e-5)


def test_part_of_the_tables_from_features_is_their_map():
    model = some_model(n_user_features=2)
    expected = model.user_features.numpy() @ model.user_map.detach().numpy()
    users, items = model.feature_tables()
    np.testing.assert_allclose(users, expected, rtol=1e-5, atol=1e-7)
    assert not items.any()
    assert items.shape == model.tables()[1].shape == (5, 4)


def test_features_of_another_shape_or_of_the_unknown_are_refused():
    model = DotProduct(3, 2, n_item_features=2)
    with pytest.raises(ValueError, match=r"item_features has shape \(2, 2\), expected \(3, 2\)"):
        model.set_features(items=np.zeros((2, 2)))
    with pytest.raises(ValueError, match="Row 0 of item_features"):
        model.set_features(items=np.ones((3, 2)))


def test_mean_outside_the_range_is_refused():
    with pytest.raises(ValueError, match=r"mean=7.0 does not lie within y_range=\(1, 5\)"):
        DotProduct(1, 1, mean=7.0, y_range=(1, 5))


def test_history_features_tell_apart_who_rated_what():
    # Users 1-4 rate items 1-3, users 5-8 items 4-6, each all but one of them.
    pairs = [(u, i) for u in range(1, 9) for i in range(1, 7) if (u <= 4) == (i <= 3) and (u - 1) % 4 != (i - 1) % 3]
    users, items = history_features(*np.array(pairs).T, 9, 7, 2, random_state=0)
    assert users.shape == (9, 3)
    assert items.shape == (7, 3)
    assert not users[0].any()
    assert not items[0].any()
    np.testing.assert_allclose(items[1:].mean(axis=0), 0, atol=1e-6)
    of_first, of_second = users[1:5, :2], users[5:, :2]
    within = np.ptp(of_first, axis=0).max() + np.ptp(of_second, axis=0).max()
    assert np.abs(of_first.mean(axis=0) - of_second.mean(axis=0)).max() > within


def test_without_biases_a_rating_is_the_mean_and_the_product():
    model = DotProduct(1, 1, 1, mean=3.5, bias=False)
    with torch.no_grad():
        model.vectors.weight.copy_(torch.tensor([[0.0, 0], [2, 0], [0, 0], [3, 0]]))
    assert model(torch.tensor([[1, 1], [0, 1]])).tolist() == [[3.5 + 6], [3.5]]


def test_without_biases_they_have_no_gradient():
    model = some_model(row_penalty=0.2, n_user_features=2, n_item_features=1, bias=False)
    with torch.no_grad():
        for parameter in (model.vectors.weight, model.user_map, model.item_map):
            parameter[:, -1] = 0.0
    model.loss_and_gradients(some_rows(5, 4))
    for parameter in (model.vectors.weight, model.user_map, model.item_map):
        assert (parameter.grad[:, -1] == 0).all()
        assert (parameter.grad[:, :-1] != 0).any()


def test_a_printed_net_shows_its_sizes():
    assert "users: 5 x 3, items: 4 x 3, bias=False" in repr(some_model(bias=False))
