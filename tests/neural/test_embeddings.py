"""Embeddings of columns: packed tables equal separate ones; bins and frequencies follow the formulas."""

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import nn

from tabrec.neural.embeddings import (
    PackedEmbedding,
    PeriodicEmbedding,
    PiecewiseLinearEmbedding,
    embedding_size,
    quantile_edges,
)

EQUAL_WIDTHS = {"state": (3, 4), "model": (6, 4), "year": (2, 4)}
MIXED_IN_ORDER = {"state": (3, 4), "model": (6, 4), "year": (2, 1)}
OUT_OF_ORDER = {"state": (3, 2), "model": (6, 5), "year.month": (4, 2), "seller": (2, 1), "buyer": (5, 5)}
SIZES = pytest.mark.parametrize(
    "sizes", [{"state": (3, 4)}, EQUAL_WIDTHS, MIXED_IN_ORDER, OUT_OF_ORDER], ids=["one", "equal", "mixed", "scattered"]
)


def separate_embeddings(packed):
    """An `nn.Embedding` for each column, with the same weights."""
    tables = {name: nn.Embedding(*size) for name, size in packed.sizes.items()}
    for name, table in tables.items():
        table.weight.data = packed.weight(name).detach().clone()
    return tables


def codes_of(sizes, n_rows=40, dtype=torch.int64):
    columns = [torch.randint(n_codes, (n_rows,), dtype=dtype) for n_codes, _ in sizes.values()]
    return torch.stack(columns, dim=1)


def side_by_side(tables, names, sizes, codes):
    return torch.cat([tables[name](codes[:, list(sizes).index(name)].long()) for name in names], dim=1)


def test_the_default_width_is_that_of_fastai():
    sizes = {1: 2, 2: 2, 3: 3, 10: 6, 100: 21, 1000: 77, 5000: 189, 39_000: 596, 40_000: 600, 10**9: 600}
    assert {n_codes: embedding_size(n_codes) for n_codes in sizes} == sizes


@SIZES
@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_packed_vectors_are_those_of_separate_embeddings(sizes, dtype):
    torch.manual_seed(0)
    packed = PackedEmbedding(sizes)
    codes = codes_of(sizes, dtype=dtype)
    assert torch.equal(packed(codes), side_by_side(separate_embeddings(packed), packed.names, sizes, codes))


@SIZES
@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_packed_weights_learn_what_separate_embeddings_learn(sizes, dtype):
    torch.manual_seed(0)
    packed = PackedEmbedding(sizes)
    tables = separate_embeddings(packed)
    codes = codes_of(sizes, dtype=dtype)
    wanted = torch.randn(len(codes), packed.width)
    optimizer = torch.optim.SGD([*packed.parameters(), *(table.weight for table in tables.values())], lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        ((packed(codes) - wanted) ** 2).sum().backward()
        ((side_by_side(tables, packed.names, sizes, codes) - wanted) ** 2).sum().backward()
        optimizer.step()
    for name, table in tables.items():
        assert packed.weight(name).abs().max() > 0.1
        torch.testing.assert_close(packed.weight(name), table.weight)


def test_vectors_are_in_the_order_of_names_with_the_given_widths():
    packed = PackedEmbedding({"a": (2, 1), "b": (2, 2), "c": (3, 1)})
    with torch.no_grad():
        packed.weight("a").copy_(torch.tensor([[1.0], [2.0]]))
        packed.weight("b").copy_(torch.tensor([[3.0, 4.0], [5.0, 6.0]]))
        packed.weight("c").copy_(torch.tensor([[7.0], [8.0], [9.0]]))
    vectors = {"a": [2.0], "b": [3.0, 4.0], "c": [9.0]}
    assert sorted(packed.names) == ["a", "b", "c"]
    assert packed(torch.tensor([[1, 0, 2]])).tolist() == [[x for name in packed.names for x in vectors[name]]]
    assert packed.width == 4


@SIZES
def test_columns_of_equal_width_share_one_table(sizes):
    packed = PackedEmbedding(sizes)
    assert len(list(packed.parameters())) == len({width for _, width in sizes.values()})
    assert sum(p.numel() for p in packed.parameters()) == sum(n * width for n, width in sizes.values())


def test_code_0_starts_at_zero():
    torch.manual_seed(0)
    packed = PackedEmbedding({"state": (2000, 10), "model": (3, 10), "year": (500, 3)}, std=0.5)
    for name in packed.names:
        weight = packed.weight(name).detach()
        assert weight[0].tolist() == [0.0] * weight.shape[1]
        assert (weight[1:] != 0).all()
        assert weight.abs().max() <= 1.0
    # A normal distribution cut at two standard deviations has 0.88 of its spread.
    assert packed.weight("state")[1:].std().item() == pytest.approx(0.44, rel=0.02)


def test_reset_parameters_draws_new_vectors():
    packed = PackedEmbedding(OUT_OF_ORDER)
    before = {name: packed.weight(name).detach().clone() for name in packed.names}
    packed.reset_parameters()
    for name, old in before.items():
        assert packed.weight(name)[0].tolist() == old[0].tolist()
        assert (packed.weight(name)[1:] != old[1:]).all()


def test_the_state_dict_names_each_columns_own_table_and_nothing_else():
    packed = PackedEmbedding(OUT_OF_ORDER)
    state = packed.state_dict()
    assert sorted(state) == ["buyer.weight", "model.weight", "seller.weight", "state.weight", "year.month.weight"]
    for name in OUT_OF_ORDER:
        assert torch.equal(state[f"{name}.weight"], packed.weight(name))
        assert not state[f"{name}.weight"].requires_grad


@pytest.mark.parametrize("names", [("a", "a.b"), ("weight", "a.weight"), ("tables", "tables.0"), ("_order", "0")])
def test_a_state_dict_round_trips_with_any_column_names(names):
    sizes = {names[0]: (3, 2), "x": (4, 3), names[1]: (5, 2)}
    packed, other = PackedEmbedding(sizes), PackedEmbedding(sizes)
    other.load_state_dict(packed.state_dict())
    for name in sizes:
        assert torch.equal(other.weight(name), packed.weight(name))


def test_tables_can_be_loaded_from_those_of_separate_embeddings():
    tables = {name: nn.Embedding(*size) for name, size in OUT_OF_ORDER.items()}
    packed = PackedEmbedding(OUT_OF_ORDER)
    packed.load_state_dict({f"{name}.weight": table.weight.detach() for name, table in tables.items()})
    codes = codes_of(OUT_OF_ORDER)
    assert torch.equal(packed(codes), side_by_side(tables, packed.names, OUT_OF_ORDER, codes))


def test_a_loaded_table_is_a_copy():
    packed, other = PackedEmbedding(OUT_OF_ORDER), PackedEmbedding(OUT_OF_ORDER)
    other.load_state_dict({f"{name}.weight": packed.weight(name).detach() for name in OUT_OF_ORDER})
    with torch.no_grad():
        packed.weight("model").fill_(7.0)
    assert other.weight("model").abs().max() <= 0.02


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model.weight": None}, r'Missing key\(s\) in state_dict: "model.weight"'),
        ({"colour.weight": torch.zeros(2, 2)}, r'Unexpected key\(s\) in state_dict: "colour.weight"'),
        ({"model.weight": torch.zeros(6, 4)}, r"size mismatch for model.weight: \(6, 4\) given, \(6, 5\) expected"),
        ({"year.month.weight": torch.zeros(3, 2)}, r"size mismatch for year.month.weight: \(3, 2\) given, \(4, 2\)"),
    ],
    ids=["missing", "unexpected", "width", "codes"],
)
def test_a_state_dict_of_other_columns_raises(change, message):
    packed = PackedEmbedding(OUT_OF_ORDER)
    state = {f"{name}.weight": torch.zeros(size) for name, size in OUT_OF_ORDER.items()} | change
    with pytest.raises(RuntimeError, match=message):
        packed.load_state_dict({key: weight for key, weight in state.items() if weight is not None})


def test_without_strict_the_matching_columns_are_loaded_and_the_others_reported():
    nested = nn.ModuleDict({"embeddings": PackedEmbedding({"a": (2, 3), "b": (4, 3)})})
    before = nested["embeddings"].weight("b").detach().clone()
    loaded = nested.load_state_dict({"embeddings.a.weight": torch.ones(2, 3), "head.bias": torch.ones(1)}, strict=False)
    assert loaded.missing_keys == ["embeddings.b.weight"]
    assert loaded.unexpected_keys == ["head.bias"]
    assert nested["embeddings"].weight("a").tolist() == [[1.0] * 3] * 2
    assert torch.equal(nested["embeddings"].weight("b"), before)


def bin_positions(edges, numbers, n_bins):
    """Return the inputs of the linear map of a piecewise embedding."""
    embedding = PiecewiseLinearEmbedding([np.array(edges, dtype=np.float32)], n_bins)
    with torch.no_grad():
        embedding.linear.zero_()
        embedding.bias.zero_()
        embedding.bins.copy_(torch.eye(n_bins))
    return embedding(torch.tensor(numbers).unsqueeze(1)).tolist()


def test_a_number_fills_the_bins_below_it_and_its_share_of_its_own():
    numbers = [-9.0, 0.0, 0.5, 1.0, 2.0, 3.0, 3.25, 4.0, 99.0]
    assert bin_positions([0.0, 1.0, 3.0, 4.0], numbers, n_bins=3) == [
        [0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0],
        [0.5, 0.0, 0.0],
        [1.0, 0.0, 0.0],
        [1.0, 0.5, 0.0],
        [1.0, 1.0, 0.0],
        [1.0, 1.0, 0.25],
        [1.0, 1.0, 1.0],
        [1.0, 1.0, 1.0],
    ]


def test_a_piecewise_embedding_is_that_of_the_formula():
    torch.manual_seed(0)
    edges = [np.array([-1.0, 0.0, 2.0]), np.array([0.0, 0.5, 1.0, 4.0])]
    embedding = PiecewiseLinearEmbedding(edges, 5)
    nn.init.normal_(embedding.bins)
    numbers = torch.randn(30, 2) * 2
    out = embedding(numbers).detach().numpy().reshape(30, 2, 5)
    for column, ascending in enumerate(edges):
        x = numbers[:, column].numpy()
        position = np.clip((x[:, None] - ascending[:-1]) / np.diff(ascending), 0, 1)
        bins, linear, bias = (p[column].detach().numpy() for p in (embedding.bins, embedding.linear, embedding.bias))
        wanted = np.maximum(position @ bins[: len(ascending) - 1] + x[:, None] * linear + bias, 0)
        assert out[:, column] == pytest.approx(wanted, abs=1e-5)


def test_bins_and_bias_start_the_smaller_the_more_bins_a_column_has():
    embedding = PiecewiseLinearEmbedding([np.arange(5.0), np.arange(101.0)], 200)
    for of_column, most in ((0, 0.5), (1, 0.1)):
        for parameter in (embedding.bins, embedding.bias):
            assert 0.9 * most < parameter[of_column].abs().max() <= most


def test_beyond_the_outer_edges_only_the_number_itself_varies():
    embedding = PiecewiseLinearEmbedding([np.array([0.0, 1.0, 4.0])], 2)
    with torch.no_grad():
        embedding.linear.copy_(torch.tensor([[1.0, -0.5]]))
        embedding.bias.fill_(100.0)
        embedding.bins.copy_(torch.tensor([[[3.0, 7.0], [20.0, 30.0]]]))
    out = embedding(torch.tensor([[-10.0], [-6.0], [0.0], [4.0], [5.0], [14.0]])).tolist()
    assert out == [[90.0, 105.0], [94.0, 103.0], [100.0, 100.0], [127.0, 135.0], [128.0, 134.5], [137.0, 130.0]]


@pytest.mark.parametrize("edges", [[3.0], []], ids=["constant", "none"])
def test_a_column_without_bins_is_embedded_by_its_number(edges):
    embedding = PiecewiseLinearEmbedding([np.array(edges), np.array([0.0, 1.0, 2.0])], 2)
    with torch.no_grad():
        embedding.bins.fill_(1000.0)
        embedding.linear.fill_(2.0)
        embedding.bias.fill_(1.0)
    out = embedding(torch.tensor([[3.0, 0.0], [5.0, 1.0], [-0.25, 2.0]])).tolist()
    assert out == [[7.0, 7.0, 1.0, 1.0], [11.0, 11.0, 1003.0, 1003.0], [0.5, 0.5, 2005.0, 2005.0]]


def test_constant_columns_are_embedded_by_their_numbers():
    embedding = PiecewiseLinearEmbedding([np.array([3.0]), np.array([4.0])], 1)
    with torch.no_grad():
        embedding.bins.fill_(1000.0)
        embedding.linear.fill_(1.0)
        embedding.bias.fill_(0.5)
    assert embedding(torch.tensor([[3.0, 9.0]])).tolist() == [[3.5, 9.5]]


def test_bins_that_a_column_lacks_have_no_influence_and_learn_nothing():
    torch.manual_seed(0)
    few, many = np.array([0.0, 1.0]), np.array([-3.0, 0.0, 1.0, 2.0])
    alone, beside = PiecewiseLinearEmbedding([few], 4), PiecewiseLinearEmbedding([few, many], 4)
    with torch.no_grad():
        beside.bins.fill_(50.0)
        alone.bins.copy_(beside.bins[:1, :1])
        alone.linear.copy_(beside.linear[:1])
        alone.bias.copy_(beside.bias[:1])
    x = torch.tensor([-100.0, 0.0, 0.3, 1.0, 100.0]).unsqueeze(1)
    out = beside(x.expand(-1, 2))
    torch.testing.assert_close(out[:, :4], alone(x))
    out.sum().backward()
    assert (beside.bins.grad[0, 0] > 0).all()
    assert (beside.bins.grad[0, 1:] == 0).all()


def test_edges_come_back_with_the_state_dict():
    torch.manual_seed(0)
    one = PiecewiseLinearEmbedding([np.array([0.0, 1.0, 3.0])], 2)
    two = PiecewiseLinearEmbedding([np.array([5.0, 6.0, 7.0])], 2)
    nn.init.ones_(one.bins)
    two.load_state_dict(one.state_dict())
    x = torch.tensor([[0.5], [2.0], [6.5]])
    assert torch.equal(one(x), two(x))


def test_a_periodic_embedding_is_that_of_the_formula():
    torch.manual_seed(0)
    embedding = PeriodicEmbedding(n_columns=2, size=3, n_frequencies=4, frequency_scale=1.0)
    numbers = torch.randn(20, 2)
    out = embedding(numbers).detach().numpy().reshape(20, 2, 3)
    for column in range(2):
        frequencies, weight, bias = (p[column].detach().numpy() for p in embedding.parameters())
        angles = 2 * np.pi * numbers[:, column].numpy()[:, None] * frequencies
        waves = np.hstack([np.cos(angles), np.sin(angles)])
        assert out[:, column] == pytest.approx(np.maximum(waves @ weight + bias, 0), abs=1e-5)
    assert (out > 0).any()


def test_a_periodic_embedding_repeats_after_a_turn():
    embedding = PeriodicEmbedding(n_columns=1, size=2, n_frequencies=1)
    with torch.no_grad():
        embedding.frequencies.fill_(0.5)
        embedding.weight.copy_(torch.eye(2))
        embedding.bias.fill_(1.0)
    out = embedding(torch.tensor([[0.0], [0.5], [1.0], [2.0]])).detach().numpy()
    assert out == pytest.approx(np.array([[2.0, 1.0], [1.0, 2.0], [0.0, 1.0], [2.0, 1.0]]), abs=1e-6)


def test_initial_frequencies_have_the_given_scale_and_are_truncated():
    torch.manual_seed(0)
    frequencies = PeriodicEmbedding(50, 2, n_frequencies=100, frequency_scale=0.3).frequencies
    assert frequencies.std().item() == pytest.approx(0.3, rel=0.05)
    assert frequencies.abs().max() <= 0.9


@pytest.mark.parametrize(
    ("numbers", "n_bins", "edges"),
    [
        ([0.0, 1.0, 2.0, 3.0, 4.0], 2, [0.0, 2.0, 4.0]),
        ([4.0, 0.0, 3.0, 1.0, 2.0], 4, [0.0, 1.0, 2.0, 3.0, 4.0]),
        ([1.0, 2.0], 48, [1.0, 2.0]),
        ([1.0, 2.0, 2.0, 2.0, 4.0, 9.0], 3, [1.0, 2.0, 4.0, 9.0]),
        ([0.0] * 90 + list(range(11)), 2, [0.0, 1.0, 10.0]),
        ([7.0, 7.0, 7.0], 3, [7.0]),
        ([7.0], 1, [7.0]),
        ([0.0, 1e-7, 1.0], 5, [0.0, 1.0]),
        ([0.0, 0.25, 65536.0], 5, [0.0, 0.25, 65536.0]),
    ],
)
def test_edges_are_the_known_quantiles(numbers, n_bins, edges):
    found = quantile_edges(np.array(numbers), n_bins)
    assert found.tolist() == edges
    assert found.dtype == np.float32


def test_bins_hold_about_equally_many_numbers():
    numbers = np.exp(np.random.default_rng(0).normal(size=1000))
    edges = quantile_edges(numbers, 10)
    counts = np.histogram(numbers.astype(np.float32), edges)[0]
    assert len(counts) == 10
    assert counts == pytest.approx(100, abs=2)


MODERATE = st.floats(-1e6, 1e6, width=32)
HEAVY_TIES = st.sampled_from([-1.0, 0.0, 0.0, 0.0, 2.5, 1e6])
ANY_FLOAT32 = st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(st.one_of(st.lists(values, min_size=1, max_size=60) for values in (MODERATE, HEAVY_TIES)), st.integers(1, 12))
def test_edges_ascend_from_the_minimum_to_near_the_maximum_and_respect_n_bins(numbers, n_bins):
    numbers = np.array(numbers, dtype=np.float32)
    edges = quantile_edges(numbers, n_bins)
    assert len(edges) <= n_bins + 1
    assert (np.diff(edges) > 0).all()
    assert np.isin(edges, numbers).all()
    assert edges[0] == numbers.min()
    assert numbers.max() - edges[-1] <= 1.1e-6 * n_bins * np.ptp(numbers) + 1e-37
    assert len(edges) > 1 or np.ptp(numbers) < 1e-37


@given(st.lists(ANY_FLOAT32, min_size=1, max_size=40), st.integers(1, 8))
@example([0.0, 1e-45], 1)
@example([-3e38, 3e38], 1)
def test_bins_of_any_float32_numbers_place_every_one_of_them(numbers, n_bins):
    numbers = np.array(numbers, dtype=np.float32)
    edges = quantile_edges(numbers, n_bins)
    positions = np.array(bin_positions(edges, numbers.tolist(), n_bins=max(len(edges) - 1, 1)))
    assert ((positions >= 0) & (positions <= 1)).all()
    assert (np.diff(positions[np.argsort(numbers)], axis=0) >= 0).all()


@pytest.mark.parametrize("numbers", [[0.0, 1e-45], [1e-40, 2e-40], [1e-37, 2e-37], [0.0, 1e-42, 3e38]])
def test_no_bin_is_so_narrow_that_its_reciprocal_width_overflows(numbers):
    edges = quantile_edges(np.array(numbers, dtype=np.float32), 4).astype(np.float64)
    assert (1 / np.diff(edges) <= np.finfo(np.float32).max).all()


@pytest.mark.parametrize("numbers", [[-3e38, 3e38], [-3e38, 0.0, 3e38], [-1.0, 1e38, 3e38]])
def test_edges_may_be_further_apart_than_the_largest_float32(numbers):
    numbers = np.array(numbers, dtype=np.float32)
    assert quantile_edges(numbers, 4).tolist() == numbers.tolist()
