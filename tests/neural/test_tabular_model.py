"""`TabularModel`: outputs computed by hand, members, training mode and invalid arguments."""

import numpy as np
import pytest
import torch
from scipy.special import expit
from scipy.stats import norm
from torch import nn

from tabrec import TabularModel
from tabrec.neural.embeddings import embedding_size

SIZES = {"state": 5, "model": 7, "enclosure": 3}
EDGES = [np.array([-1.0, 0.0, 1.0], dtype=np.float32), np.array([0.5], dtype=np.float32)]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def inputs(n_rows=6, sizes=SIZES, n_continuous=2):
    codes = [torch.randint(n_codes, (n_rows,), dtype=torch.int32) for n_codes in sizes.values()]
    return torch.stack(codes, dim=1) if codes else torch.zeros(n_rows, 0, dtype=torch.int32), torch.randn(
        n_rows, n_continuous
    )


def one_number(activation="relu", **params):
    """The net a·(w x + b) + c of one number, with w = a = 1 and b = c = 0."""
    model = TabularModel({}, 1, layers=[1], activation=activation, batch_norm=False, **params).eval()
    with torch.no_grad():
        for linear in (model.blocks[0].linear, model.output):
            linear.weight.fill_(1.0)
            linear.bias.fill_(0.0)
    return lambda *x: model(torch.zeros(len(x), 0, dtype=torch.int32), torch.tensor(x).unsqueeze(1)).flatten().tolist()


def shake(model):
    """Perturb parameters initialised to 0 or 1, so that they affect the output."""
    for name, parameter in model.named_parameters():
        if "embeddings." in name or "bins" in name or "norm" in name or "scale" in name or "bias" in name:
            nn.init.uniform_(parameter, 0.2, 1.5)
    for name, buffer in model.named_buffers():
        if "running" in name:
            nn.init.uniform_(buffer, 0.5, 2.0)


@pytest.mark.parametrize(
    ("activation", "wanted"),
    [
        ("relu", lambda x: np.maximum(x, 0)),
        ("gelu", lambda x: x * norm.cdf(x)),
        ("silu", lambda x: x * expit(x)),
        ("mish", lambda x: x * np.tanh(np.log1p(np.exp(x)))),
    ],
)
def test_activation_functions(activation, wanted):
    x = np.array([-2.0, -0.5, 0.0, 0.5, 2.0])
    assert one_number(activation)(*x.astype(np.float32)) == pytest.approx(wanted(x), abs=1e-6)


def normed(norm_layer, x):
    mean, variance, weight, bias = (
        part.detach().double().numpy()
        for part in (norm_layer.running_mean, norm_layer.running_var, norm_layer.weight, norm_layer.bias)
    )
    return (x - mean) / np.sqrt(variance + 1e-5) * weight + bias


def test_the_output_is_that_of_embeddings_beside_normed_numbers_through_blocks_of_linear_relu_norm():
    model = TabularModel(SIZES, 2, 3, layers=[6, 4]).eval()
    shake(model)
    codes, numbers = inputs()
    positions = {name: position for position, name in enumerate(SIZES)}
    vectors = [model.embeddings.weight(name)[codes[:, positions[name]].long()] for name in model.embeddings.names]
    x = np.hstack([torch.cat(vectors, 1).detach().numpy(), normed(model.numeric_norm, numbers.numpy())])
    for block in model.blocks:
        weight, bias = (p.detach().double().numpy() for p in (block.linear.weight, block.linear.bias))
        x = normed(block.norm, np.maximum(x @ weight.T + bias, 0))
    wanted = x @ model.output.weight.detach().numpy().T + model.output.bias.detach().numpy()
    out = model(codes, numbers).detach().numpy()
    assert out == pytest.approx(wanted, abs=1e-5)
    assert out.shape == (6, 3)
    assert np.ptp(out, axis=0).min() > 0.05


def test_training_normalises_numbers_and_blocks_by_their_batch():
    model = TabularModel({}, 2, layers=[3])
    seen = {}
    model.blocks[0].register_forward_hook(lambda module, given, out: seen.update(given=given[0], out=out))
    model.train()(torch.zeros(500, 0, dtype=torch.int32), torch.randn(500, 2) * 50 + 1000)
    assert seen["given"].mean(0).tolist() == pytest.approx([0.0] * 2, abs=1e-4)
    assert seen["given"].std(0).tolist() == pytest.approx([1.0] * 2, abs=1e-2)
    assert seen["out"].mean(0).tolist() == pytest.approx([0.0] * 3, abs=1e-4)


def test_without_batch_norm_no_row_depends_on_another_even_in_training():
    model = TabularModel(SIZES, 2, layers=[8, 4], batch_norm=False).train()
    codes, numbers = inputs()
    assert not any(isinstance(part, nn.BatchNorm1d) for part in model.modules())
    torch.testing.assert_close(model(codes, numbers)[:1], model(codes[:1], numbers[:1]))


@pytest.mark.parametrize(
    ("params", "shape"),
    [
        ({}, (6, 1)),
        ({"n_outputs": 3}, (6, 3)),
        ({"n_members": 4}, (6, 4, 1)),
        ({"n_members": 4, "n_outputs": 3}, (6, 4, 3)),
        ({"n_members": 1}, (6, 1, 1)),
        ({"layers": [4]}, (6, 1)),
        ({"numeric_embedding": "periodic", "n_members": 2, "n_outputs": 2}, (6, 2, 2)),
        ({"numeric_embedding": "piecewise", "bin_edges": EDGES}, (6, 1)),
    ],
)
def test_shape_of_the_outputs(params, shape):
    out = TabularModel(SIZES, 2, **params)(*inputs())
    assert out.shape == shape
    assert torch.isfinite(out).all()


@pytest.mark.parametrize(("sizes", "n_continuous"), [(SIZES, 0), ({}, 2)], ids=["categories", "numbers"])
@pytest.mark.parametrize("params", [{}, {"n_members": 3}, {"numeric_embedding": "periodic"}])
def test_a_net_of_only_categories_or_only_numbers_learns_from_them(sizes, n_continuous, params):
    model = TabularModel(sizes, n_continuous, layers=[8], **params)
    shake(model)
    out = model.train()(*inputs(sizes=sizes, n_continuous=n_continuous))
    assert out.detach().flatten().std() > 0.01
    (out**2).mean().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


def test_codes_of_int32_and_int64_are_equivalent():
    model = TabularModel(SIZES, 2).eval()
    codes, numbers = inputs()
    assert torch.equal(model(codes, numbers), model(codes.long(), numbers))


def test_y_range_is_a_scaled_sigmoid():
    x = np.array([0.0, 1.0, 3.0])
    assert one_number(y_range=(8, 12))(*x.astype(np.float32)) == pytest.approx(8 + 4 * expit(x), rel=1e-6)


@pytest.mark.parametrize("n_members", [None, 3])
def test_each_output_stays_in_its_own_range(n_members):
    model = TabularModel(SIZES, 2, 2, y_range=([8.0, -1.0], [12.0, 1.0]), n_members=n_members, layers=[4]).eval()
    codes, numbers = inputs(n_rows=200)
    with torch.no_grad():
        model.output.weight.mul_(1e4)
        out = model(codes, numbers * 100)
    first, second = out[..., 0], out[..., 1]
    assert (first.min(), first.max()) == (8.0, 12.0)
    assert (second.min(), second.max()) == (-1.0, 1.0)


@pytest.mark.parametrize("y_range", [(0.1, 0.3), (-5.0, -0.7), (-1.6, 1.1), (1e-3, 1e6)])
def test_rounding_moves_no_output_out_of_its_range(y_range):
    highest = one_number(y_range=y_range)(1e4)[0]
    assert highest == pytest.approx(y_range[1], rel=1e-6)
    assert highest <= np.float32(y_range[1])


FULL = {
    "layers": (8, 4),
    "embedding_sizes": {"model": 3},
    "activation": "mish",
    "dropout": [0.1, 0.2],
    "embedding_dropout": 0.1,
    "unknown_rate": 0.2,
    "numeric_embedding_size": 5,
    "y_range": ([0.0, 1.0], [2.0, 3.0]),
}


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"n_members": 3, "batch_norm": False},
        FULL | {"numeric_embedding": "periodic"},
        FULL | {"numeric_embedding": "piecewise", "bin_edges": EDGES, "n_members": 2},
    ],
    ids=["default", "members", "periodic", "piecewise"],
)
def test_config_and_state_dict_rebuild_the_model(params):
    model = TabularModel(SIZES, 2, 2, **params)
    shake(model)
    again = TabularModel(**model.config)
    again.load_state_dict(model.state_dict(), strict=True)
    assert torch.equal(again.eval()(*(given := inputs())), model.eval()(*given))
    assert again.config == model.config
    assert model.config["category_sizes"] == SIZES
    assert {name: model.config[name] for name in params} == params


def test_a_state_dict_names_the_columns():
    state = TabularModel({"state": 5, "Mr.Mrs": 7, "week": 5}, 1, layers=[3], batch_norm=False).state_dict()
    assert sorted(state) == [
        "blocks.0.linear.bias",
        "blocks.0.linear.weight",
        "embeddings.Mr.Mrs.weight",
        "embeddings.state.weight",
        "embeddings.week.weight",
        "output.bias",
        "output.weight",
    ]


def test_a_state_dict_of_other_columns_raises():
    model = TabularModel(SIZES, 2)
    with pytest.raises(RuntimeError, match=r"Missing key.*embeddings.state.weight.*\s.*Unexpected.*embeddings.colour"):
        model.load_state_dict(
            TabularModel({"colour" if n == "state" else n: k for n, k in SIZES.items()}, 2).state_dict()
        )
    with pytest.raises(RuntimeError, match=r"size mismatch for embeddings.state.weight: \(6, 4\) given, \(5, 4\)"):
        model.load_state_dict(TabularModel(SIZES | {"state": 6}, 2).state_dict())


def test_embedding_widths_are_the_given_ones_or_those_of_fastai():
    embeddings = TabularModel(SIZES, embedding_sizes={"model": 11, "enclosure": np.int64(1)}).embeddings
    shapes = {name: tuple(embeddings.weight(name).shape) for name in SIZES}
    assert shapes == {"state": (5, embedding_size(5)), "model": (7, 11), "enclosure": (3, 1)}


@pytest.mark.parametrize(
    ("arguments", "params", "message"),
    [
        (({}, 0), {}, "got an empty category_sizes and n_continuous=0"),
        ((SIZES,), {"embedding_sizes": {"colour": 3}}, r"embedding_sizes names \['colour'\], but .* are \['state'"),
        ((SIZES,), {"embedding_sizes": {"model": 0}}, r"positive integers; got {'model': 0}"),
        ((SIZES,), {"embedding_sizes": {"model": 2.5}}, r"got {'model': 2.5}"),
        ((SIZES,), {"embedding_sizes": {"model": -1, "state": 4}}, r"got {'model': -1}"),
        ((SIZES,), {"activation": "tanh"}, "activation must be one of .*relu.*; got 'tanh'"),
        ((SIZES, 1), {"numeric_embedding": "linear"}, "numeric_embedding must be one of .*periodic.*; got 'linear'"),
        ((SIZES,), {"layers": [8, 4], "dropout": [0.1]}, r"dropout=\[0.1\] has 1 rates for the 2 layers \(8, 4\)"),
        ((SIZES,), {"layers": [8], "dropout": (0.1, 0.2)}, r"dropout=\(0.1, 0.2\) has 2 rates for the 1 layers"),
        ((SIZES, 3), {"numeric_embedding": "piecewise"}, "needs bin_edges of all 3 columns; got None"),
        (
            (SIZES, 3),
            {"numeric_embedding": "piecewise", "bin_edges": EDGES},
            "got those of 2 columns",
        ),
    ],
)
def test_invalid_arguments_raise(arguments, params, message):
    with pytest.raises(ValueError, match=message):
        TabularModel(*arguments, **params)


def test_dropout_is_one_rate_for_all_blocks_or_one_for_each():
    def rates(dropout):
        return [block.dropout.p for block in TabularModel(SIZES, layers=[8, 4, 2], dropout=dropout).blocks]

    assert rates(0.5) == [0.5, 0.5, 0.5]
    assert rates(np.float64(0.25)) == [0.25, 0.25, 0.25]
    assert rates([0.1, 0.2, 0.0]) == [0.1, 0.2, 0.0]
    assert rates(np.array([0.5, 0.0, 0.5])) == [0.5, 0.0, 0.5]


def test_dropout_comes_last_in_its_block_and_only_in_training():
    model = TabularModel(SIZES, 2, layers=[8, 4], dropout=[0.0, 1.0])
    codes, numbers = inputs()
    assert torch.equal(model.train()(codes, numbers), model.output.bias.expand(6, 1))
    assert model.eval()(codes, numbers).std() > 0.0


def test_embedding_dropout_drops_elements_of_embeddings_in_training_and_leaves_numbers():
    model = TabularModel(SIZES, 2, layers=[8], batch_norm=False, embedding_dropout=1.0)
    shake(model)
    codes, numbers = inputs()
    out = model.train()(codes, numbers)
    assert not torch.allclose(model.eval()(codes, numbers), out)
    with torch.no_grad():
        for name in SIZES:
            model.embeddings.weight(name).zero_()
    assert torch.equal(model(codes, numbers), out)
    assert out.std() > 0.0


def test_a_share_of_the_embeddings_is_dropped_element_by_element_and_the_rest_scaled_up():
    model = TabularModel({"state": 5}, layers=[8], embedding_sizes={"state": 10}, embedding_dropout=0.25).train()
    with torch.no_grad():
        model.embeddings.weight("state").fill_(3.0)
    seen = []
    model.blocks.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    model(*inputs(2000, {"state": 5}, 0))
    assert set(seen[0].unique().tolist()) == {0.0, 4.0}
    assert (seen[0] == 0).float().mean().item() == pytest.approx(0.25, abs=0.02)
    assert (seen[0] == 0).any(1).float().mean().item() == pytest.approx(1 - 0.75**10, abs=0.03)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_unknown_rate_masks_codes_in_training_only(dtype):
    model = TabularModel(SIZES, 2, layers=[8], batch_norm=False, unknown_rate=1.0)
    shake(model)
    codes, numbers = inputs()
    codes = codes.to(dtype)
    known, unknown = model.eval()(codes, numbers), model(torch.zeros_like(codes), numbers)
    assert torch.equal(model.train()(codes, numbers), unknown)
    assert not torch.allclose(known, unknown)


def test_unknown_rate_masks_each_code_independently():
    model = TabularModel({"a": 9, "b": 9}, layers=[2], unknown_rate=0.3).train()
    seen = []
    model.embeddings.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    codes = torch.randint(1, 9, (5000, 2), dtype=torch.int32)
    given = codes.clone()
    model(codes, torch.zeros(5000, 0))
    hidden = seen[0] == 0
    assert hidden.float().mean(0).tolist() == pytest.approx([0.3, 0.3], abs=0.03)
    assert hidden.all(1).float().mean().item() == pytest.approx(0.09, abs=0.02)
    assert torch.equal(seen[0][~hidden], codes[~hidden])
    assert torch.equal(codes, given)


@pytest.mark.parametrize("sizes", [SIZES, {}], ids=["categories", "numbers"])
def test_each_member_is_a_plain_net_that_scales_what_goes_into_it(sizes):
    members = TabularModel(sizes, 2, 3, layers=[6, 4], batch_norm=False, n_members=4).eval()
    shake(members)
    codes, numbers = inputs(sizes=sizes)
    out = members(codes, numbers)
    for k in range(4):
        plain = TabularModel(sizes, 2, 3, layers=[6, 4], batch_norm=False).eval()
        with torch.no_grad():
            for name in sizes:
                plain.embeddings.weight(name).copy_(members.embeddings.weight(name))
            plain.blocks.load_state_dict(members.blocks.state_dict())
            plain.blocks[0].linear.weight.mul_(members.member_scale[k])
            plain.output.weight.copy_(members.output.weight[k].T)
            plain.output.bias.copy_(members.output.bias[k])
        torch.testing.assert_close(out[:, k], plain(codes, numbers))
    assert out.std(dim=1).min() > 0.01


def test_one_block_of_two_members_by_hand():
    model = TabularModel({}, 2, layers=[1], batch_norm=False, n_members=2).eval()
    with torch.no_grad():
        model.blocks[0].linear.weight.copy_(torch.tensor([[2.0, 3.0]]))
        model.blocks[0].linear.bias.copy_(torch.tensor([7.0]))
        model.member_scale.copy_(torch.tensor([[1.0, 1.0], [10.0, -1.0]]))
        model.output.weight.copy_(torch.tensor([[[1.0]], [[-1.0]]]))
        model.output.bias.copy_(torch.tensor([[0.25], [0.75]]))
    out = model(torch.zeros(2, 0, dtype=torch.int32), torch.tensor([[1.0, 2.0], [-1.0, 0.0]]))
    # Member 0: 2 + 6 + 7 = 15, and -2 + 7 = 5. Member 1: 20 - 6 + 7 = 21, and -20 + 7 → 0.
    assert out[..., 0].tolist() == [[15.25, -20.25], [5.25, 0.75]]


def test_members_start_apart_each_with_one_scale_for_all_of_a_column():
    model = TabularModel(SIZES, 2, numeric_embedding="piecewise", bin_edges=EDGES, layers=[5], n_members=500)
    widths = [*model.embeddings.widths, *[model.config["numeric_embedding_size"]] * 2]
    of_columns = model.member_scale.detach().split(widths, dim=1)
    for scales in of_columns:
        assert (scales == scales[:, :1]).all()
    drawn = torch.cat([scales[:, 0] for scales in of_columns])
    assert drawn.mean().item() == pytest.approx(0, abs=0.1)
    assert drawn.std().item() == pytest.approx(1, abs=0.1)


def test_members_share_embeddings_and_blocks():
    plain = sum(p.numel() for p in TabularModel(SIZES, 2, layers=[50, 50], batch_norm=False).parameters())
    members = TabularModel(SIZES, 2, layers=[50, 50], batch_norm=False, n_members=8)
    n_in = members.embeddings.width + 2
    assert sum(p.numel() for p in members.parameters()) == plain - (50 + 1) + 8 * (n_in + 50 + 1)


def test_numeric_embeddings_take_the_normed_numbers_and_stand_beside_the_categories():
    model = TabularModel(SIZES, 2, numeric_embedding="piecewise", bin_edges=EDGES, numeric_embedding_size=3, layers=[4])
    shake(model)
    seen = []
    model.eval().blocks.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    codes, numbers = inputs()
    model(codes, numbers)
    wanted = [model.embeddings(codes), model.numeric_embedding(model.numeric_norm(numbers))]
    assert torch.equal(seen[0], torch.cat(wanted, dim=1))
    assert model.numeric_embedding.width == 6


def test_without_numbers_there_is_no_numeric_embedding():
    model = TabularModel(SIZES, numeric_embedding="piecewise", layers=[4])
    assert model.numeric_embedding is None
    assert model(*inputs(n_continuous=0)).shape == (6, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"category_sizes": {"state": 0}}, r"category_sizes must hold positive integers; got {'state': 0}"),
        ({"layers": (16, -3)}, r"layers must hold positive integers; got \[-3\]"),
        ({"layers": (1.5,)}, r"layers must hold positive integers; got \[1.5\]"),
    ],
)
def test_invalid_sizes_raise(change, message):
    with pytest.raises(ValueError, match=message):
        TabularModel(**{"category_sizes": SIZES, "n_continuous": 2, **change})


def test_a_printed_net_shows_the_sizes_of_its_embeddings_by_column():
    assert "state: 51 x 14, enclosure: 4 x 3" in repr(TabularModel({"state": 51, "enclosure": 4}))
