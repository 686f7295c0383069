"""Synthetic auctions: structure of the real table, consistency, known price, reproducibility."""

import numpy as np
import pandas as pd
import pytest

from tabrec.datasets import make_auctions

KAGGLE_HEADER = """
SalesID SalePrice MachineID ModelID datasource auctioneerID YearMade MachineHoursCurrentMeter UsageBand
saledate fiModelDesc fiBaseModel fiSecondaryDesc fiModelSeries fiModelDescriptor ProductSize
fiProductClassDesc state ProductGroup ProductGroupDesc Drive_System Enclosure Forks Pad_Type Ride_Control
Stick Transmission Turbocharged Blade_Extension Blade_Width Enclosure_Type Engine_Horsepower Hydraulics
Pushblock Ripper Scarifier Tip_Control Tire_Size Coupler Coupler_System Grouser_Tracks Hydraulics_Flow
Track_Type Undercarriage_Pad_Width Stick_Length Thumb Pattern_Changer Grouser_Type Backhoe_Mounting
Blade_Type Travel_Controls Differential_Type Steering_Controls
"""
KAGGLE_COLUMNS = KAGGLE_HEADER.split()
MODEL_COLUMNS = [*KAGGLE_COLUMNS[10:17], "ProductGroup", "ProductGroupDesc"]

# of the full table on Kaggle
MISSING_SHARES = {
    "auctioneerID": 0.05,
    "MachineHoursCurrentMeter": 0.64,
    "UsageBand": 0.83,
    "fiSecondaryDesc": 0.34,
    "fiModelSeries": 0.86,
    "fiModelDescriptor": 0.82,
    "ProductSize": 0.53,
    "Drive_System": 0.74,
    "Enclosure": 0.0,
    "Forks": 0.52,
    "Pad_Type": 0.80,
    "Transmission": 0.54,
    "Blade_Width": 0.94,
    "Hydraulics": 0.20,
    "Ripper": 0.74,
    "Tire_Size": 0.76,
    "Coupler": 0.47,
    "Coupler_System": 0.89,
    "Track_Type": 0.75,
    "Blade_Type": 0.80,
    "Steering_Controls": 0.83,
}
N_LEVELS = {
    "ModelID": 5_218,
    "fiModelDesc": 4_999,
    "fiBaseModel": 1_950,
    "fiSecondaryDesc": 175,
    "fiModelSeries": 122,
    "fiModelDescriptor": 139,
    "fiProductClassDesc": 74,
    "saledate": 3_919,
    "MachineID": 341_027,
    "YearMade": 72,
}


@pytest.fixture(scope="module")
def full_auctions():
    return make_auctions(412_698, random_state=0)


def test_auctions_have_the_columns_of_kaggle_in_their_order():
    assert list(make_auctions(10, random_state=0).columns) == KAGGLE_COLUMNS


def test_auctions_have_the_kinds_of_kaggle(full_auctions):
    numeric = KAGGLE_COLUMNS[:8]
    assert all(pd.api.types.is_numeric_dtype(full_auctions[column]) for column in numeric)
    assert pd.api.types.is_datetime64_dtype(full_auctions["saledate"])
    text = [column for column in KAGGLE_COLUMNS if column not in [*numeric, "saledate"]]
    default_text_dtype = pd.Series(["text"]).dtype
    assert {full_auctions[column].dtype for column in text} == {default_text_dtype}


@pytest.mark.parametrize("n_rows", [1, 2, 37, np.int64(100)])
def test_auctions_have_the_number_of_rows_asked_for(n_rows):
    assert make_auctions(n_rows, random_state=0).shape == (n_rows, 53)


def test_auctions_are_the_same_for_the_same_seed_only():
    first = make_auctions(500, random_state=3)
    pd.testing.assert_frame_equal(first, make_auctions(500, random_state=3))
    pd.testing.assert_frame_equal(first, make_auctions(500, random_state=np.random.default_rng(3)))
    assert not first.equals(make_auctions(500, random_state=4))
    assert not make_auctions(500).equals(make_auctions(500))


def test_auctions_take_a_random_state_object_and_advance_it():
    first, second = (make_auctions(50, random_state=np.random.RandomState(5)) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
    shared = np.random.RandomState(5)
    make_auctions(50, random_state=shared)
    assert not first.equals(make_auctions(50, random_state=shared))


@pytest.mark.parametrize("column", MISSING_SHARES)
def test_missing_shares_resemble_kaggle(full_auctions, column):
    assert full_auctions[column].isna().mean() == pytest.approx(MISSING_SHARES[column], abs=0.07)


@pytest.mark.parametrize("column", N_LEVELS)
def test_cardinalities_resemble_kaggle(full_auctions, column):
    assert full_auctions[column].nunique() == pytest.approx(N_LEVELS[column], rel=0.2)


def test_small_categories_use_the_public_vocabulary(full_auctions):
    assert set(full_auctions["UsageBand"].dropna()) == {"Low", "Medium", "High"}
    assert set(full_auctions["Enclosure"].dropna()) == {"OROPS", "EROPS", "EROPS w AC"}
    sizes = {"Large", "Large / Medium", "Medium", "Small", "Mini", "Compact"}
    assert set(full_auctions["ProductSize"].dropna()) == sizes
    assert set(full_auctions["ProductGroup"]) == {"TEX", "TTT", "BL", "WL", "SSL", "MG"}
    assert full_auctions["state"].nunique() == 53
    assert "Wheel Loader - 110.0 to 120.0 Horsepower" in set(full_auctions["fiProductClassDesc"])
    assert "Track Type Tractor, Dozer - 260.0 + Horsepower" in set(full_auctions["fiProductClassDesc"])


def test_models_have_a_long_tail(full_auctions):
    shares = full_auctions["ModelID"].value_counts(normalize=True)
    assert 0.01 < shares.iloc[0] < 0.04
    assert shares.iloc[:100].sum() > 0.3
    assert shares.iloc[2_000:].sum() > 0.08


def test_small_tables_show_fewer_levels(full_auctions):
    small = make_auctions(1_000, random_state=0)
    assert small["ModelID"].nunique() < 0.2 * full_auctions["ModelID"].nunique()


@pytest.mark.parametrize("column", MODEL_COLUMNS)
def test_a_model_fixes_its_description(full_auctions, column):
    n_values = full_auctions.groupby("ModelID")[column].nunique(dropna=False)
    assert (n_values == 1).all()


def test_a_model_description_is_its_parts(full_auctions):
    models = full_auctions.drop_duplicates("ModelID")
    parts = ["fiBaseModel", "fiSecondaryDesc", "fiModelSeries", "fiModelDescriptor"]
    assert (models[parts].fillna("").sum(axis=1) == models["fiModelDesc"]).all()


def test_two_draws_are_samples_of_one_catalogue():
    first, second = (
        make_auctions(5_000, random_state=seed).drop_duplicates("ModelID").set_index("ModelID")["fiModelDesc"]
        for seed in (0, 1)
    )
    common = first.index.intersection(second.index)
    assert len(common) > 500
    assert (first[common] == second[common]).all()


def test_options_are_missing_outside_their_product_group(full_auctions):
    owners = {
        "Track_Type": {"TEX"},
        "Blade_Type": {"TTT"},
        "Ripper": {"TTT", "MG"},
        "Blade_Width": {"MG"},
        "Stick": {"BL"},
        "Coupler_System": {"SSL"},
        "Steering_Controls": {"WL"},
        "Coupler": {"TEX", "SSL", "WL"},
    }
    for column, groups in owners.items():
        is_present = full_auctions[column].notna()
        assert set(full_auctions.loc[is_present, "ProductGroup"]) == groups
        assert is_present[full_auctions["ProductGroup"].isin(groups)].mean() > 0.98


def test_options_of_one_product_group_go_missing_together(full_auctions):
    block = ["Blade_Extension", "Blade_Width", "Enclosure_Type", "Engine_Horsepower", "Pushblock"]
    n_present = full_auctions[block].notna().sum(axis=1)
    assert set(n_present) == {0, len(block)}


def test_sales_ids_are_unique_and_rise(full_auctions):
    assert full_auctions["SalesID"].is_unique
    assert full_auctions["SalesID"].is_monotonic_increasing


def test_a_machine_sold_twice_stays_the_same_machine(full_auctions):
    sold_again = full_auctions[full_auctions["MachineID"].duplicated(keep=False)]
    assert 0.2 < len(sold_again) / len(full_auctions) < 0.4
    constant = sold_again.groupby("MachineID")[["ModelID", "Enclosure"]].nunique(dropna=False)
    assert (constant == 1).all(axis=None)
    known_years = sold_again[sold_again["YearMade"] > 1000].groupby("MachineID")["YearMade"]
    assert (known_years.min() == known_years.max()).all()


def test_unknown_years_are_1000_and_no_machine_is_sold_before_it_is_made(full_auctions):
    year_made, sale_year = full_auctions["YearMade"], full_auctions["saledate"].dt.year
    assert (year_made == 1000).mean() == pytest.approx(0.095, abs=0.01)
    assert year_made[year_made != 1000].min() >= 1919
    assert (year_made <= sale_year).all()


def test_meters_show_zeros_and_usage_bands_go_with_hours(full_auctions):
    hours = full_auctions["MachineHoursCurrentMeter"]
    assert (hours == 0).mean() == pytest.approx(0.18, abs=0.01)
    assert (full_auctions["UsageBand"].notna() == (hours > 0)).all()
    median_hours = hours.groupby(full_auctions["UsageBand"]).median()
    assert median_hours["Low"] < median_hours["Medium"] < median_hours["High"]


def test_sales_share_auction_days_between_1989_and_2012(full_auctions):
    saledate = full_auctions["saledate"]
    assert saledate.min() >= pd.Timestamp("1989-01-17")
    assert saledate.max() <= pd.Timestamp("2012-04-28")
    assert saledate.value_counts().max() > 1_000
    assert not saledate.is_monotonic_increasing


def test_prices_are_whole_dollars_in_range_with_the_spread_of_kaggle(full_auctions):
    price = full_auctions["SalePrice"]
    assert price.between(4_750, 142_000).all()
    assert (price % 1 == 0).all()
    assert price.isin([4_750, 142_000]).mean() < 0.02
    assert np.log(price).std() == pytest.approx(0.69, abs=0.05)


def test_within_a_model_prices_follow_the_documented_effects(full_auctions):
    known = full_auctions[(full_auctions["YearMade"] > 1000) & full_auctions["Enclosure"].notna()]
    known = known[known["SalePrice"].between(5_000, 141_000)]
    year = known["saledate"].dt.year
    effects = pd.DataFrame(
        {
            "age": year - known["YearMade"],
            "year": year,
            "AC": (known["Enclosure"] == "EROPS w AC").astype(float),
            "open": (known["Enclosure"] == "OROPS").astype(float),
            "log_price": np.log(known["SalePrice"]),
        }
    )
    within = effects - effects.groupby(known["ModelID"]).transform("mean")
    X, y = within.drop(columns="log_price").to_numpy(), within["log_price"].to_numpy()
    coefficients = np.linalg.lstsq(X, y, rcond=None)[0]
    np.testing.assert_allclose(coefficients, [-0.045, 0.02, 0.2, -0.1], atol=0.01)
    assert np.std(y - X @ coefficients) == pytest.approx(0.2, abs=0.02)


def test_large_machines_cost_more(full_auctions):
    log_price = np.log(full_auctions["SalePrice"]).groupby(full_auctions["ProductSize"]).mean()
    assert log_price["Mini"] < log_price["Small"] < log_price["Large / Medium"]
    assert log_price["Compact"] < log_price["Medium"] < log_price["Large"]


@pytest.mark.parametrize("n_rows", [0, -5])
def test_auctions_refuse_fewer_than_one_row(n_rows):
    with pytest.raises(ValueError, match=f"n_rows={n_rows}"):
        make_auctions(n_rows)


@pytest.mark.parametrize("n_rows", [10.0, "10", None])
def test_auctions_refuse_rows_that_are_no_int(n_rows):
    with pytest.raises(TypeError, match=f"n_rows={n_rows!r}"):
        make_auctions(n_rows)


@pytest.mark.parametrize(("random_state", "error"), [("seed", TypeError), (0.5, TypeError), (-1, ValueError)])
def test_bad_random_states_are_named(random_state, error):
    with pytest.raises(error, match=f"random_state={random_state!r}"):
        make_auctions(10, random_state=random_state)
