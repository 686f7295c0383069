"""`make_auctions`: a generated table of auctions of any size."""

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray

from tabrec.datasets._auction_levels import (
    AUCTIONEERS,
    DATASOURCES,
    PRODUCT_GROUPS,
    STATES,
    SUFFIXES,
    class_descriptions,
    option_levels,
)
from tabrec.datasets.draws import RandomState, check_count, make_generator, zipf

_FIRST_DAY, _LAST_DAY = np.datetime64("1989-01-17"), np.datetime64("2012-04-28")
_N_AUCTION_DAYS = 4_000
_N_BASE_MODELS, _N_MODELS = 2_200, 5_300
_WEEKDAY_WEIGHTS = np.array([0.12, 0.13, 0.18, 0.38, 0.12, 0.05, 0.02])  # Monday first
_YEAR_UNKNOWN = 1000
_PRICE_RANGE = (4_750.0, 142_000.0)

_DEPRECIATION = 0.045  # decrease of the log price per year of age
_INFLATION = 0.02  # increase of the log price per year of sale
_PRICE_NOISE = 0.19  # standard deviation of the log price that no column explains
_ENCLOSURE_PREMIUM = {"OROPS": -0.1, "EROPS": 0.0, "EROPS w AC": 0.2}

_MODEL_COLUMNS = (
    "fiModelDesc",
    "fiBaseModel",
    "fiSecondaryDesc",
    "fiModelSeries",
    "fiModelDescriptor",
    "ProductSize",
    "fiProductClassDesc",
)
_GROUP_COLUMNS = ("ProductGroup", "ProductGroupDesc")


def make_auctions(n_rows: int = 10_000, *, random_state: RandomState = None) -> pd.DataFrame:
    """Generate a table of auctioned machines that resembles Blue Book for Bulldozers.

    Cardinalities, shares of missing values and long tails resemble Kaggle's Blue Book for Bulldozers, whose full table
    has 412,698 rows. No row of that table is used.

    Columns are consistent: a ``ModelID`` determines every ``fi*`` column, ``ProductSize`` and the product group; the
    product group determines which option columns are missing; a machine that is sold twice keeps its model, its options
    and, if known, its year; no machine is sold before it is made. The catalogue of models is the same for every
    `random_state`, so two draws are samples of one market.

    The log of ``SalePrice`` is the level of the model, less depreciation with age and use, plus premiums for the
    enclosure and the state, plus inflation and normal noise, clipped to 4,750 and 142,000 dollars.

    Parameters
    ----------
    n_rows : int, default=10_000
        Number of sales, at least 1.
    random_state : None, int, numpy.random.Generator or numpy.random.RandomState, default=None
        Seed of the draw. An int gives the same table in every call.

    Returns
    -------
    pandas.DataFrame of shape (n_rows, 53)
        The columns of Kaggle's ``Train.csv`` in the same order:

        - identifiers: ``SalesID`` (unique, rising), ``MachineID``, ``ModelID``, ``datasource``,
          ``auctioneerID`` (float, some missing);
        - the target: ``SalePrice``, in whole dollars;
        - numbers: ``YearMade`` (1000 where unknown), ``MachineHoursCurrentMeter`` (mostly missing, often 0);
        - the date: ``saledate``, as ``datetime64`` in the resolution of pandas for days; rows are not sorted by it;
        - text, in the string type of pandas: all others, from ``UsageBand`` to ``Steering_Controls``.

    Raises
    ------
    TypeError
        If `n_rows` is not an int, or `random_state` is none of the above.
    ValueError
        If `n_rows` is less than 1, or `random_state` is a negative int.

    See Also
    --------
    load_bulldozers : Reads the real table.
    make_ratings : Generates ratings.

    References
    ----------
    Kaggle, Blue Book for Bulldozers, https://www.kaggle.com/c/bluebook-for-bulldozers

    Examples
    --------
    >>> from tabrec.datasets import make_auctions
    >>> sales = make_auctions(1_000, random_state=0)
    >>> sales.shape
    (1000, 53)
    >>> sorted(sales["UsageBand"].dropna().unique())
    ['High', 'Low', 'Medium']
    >>> bool((sales["saledate"].dt.year >= sales["YearMade"]).all())
    True
    """
    check_count("n_rows", n_rows)
    rng = make_generator(random_state)
    catalogue = _model_catalogue()
    saledate = _draw_auction_days(n_rows, rng)
    machine = _draw_machines(n_rows, rng)
    n_machines = machine.max() + 1
    model = rng.choice(len(catalogue), n_machines, p=catalogue["share"].to_numpy())  # (n_machines,)
    year_made = _draw_years_made(saledate, machine, rng)
    options = _draw_options(catalogue["group"].to_numpy()[model], rng)
    age = _year(saledate) - year_made
    usage = rng.standard_normal(n_rows)
    auctioneer = rng.choice(AUCTIONEERS, n_rows, p=zipf(len(AUCTIONEERS), exponent=1.5))
    state = rng.choice(len(STATES), n_rows, p=zipf(len(STATES), offset=0.5))

    enclosures, enclosure = options["Enclosure"]
    premium = np.array([*(_ENCLOSURE_PREMIUM[label] for label in enclosures), 0.0])  # code -1 indexes the last
    log_price = (
        catalogue["log_price"].to_numpy()[model[machine]]
        + premium[enclosure[machine]]
        - _DEPRECIATION * age
        - 0.04 * usage
        + np.linspace(0.05, -0.05, len(STATES))[state]
        + _INFLATION * (_year(saledate) - 1989)
        + _PRICE_NOISE * rng.standard_normal(n_rows)
    )
    hours = _draw_meter(age, usage, rng)
    columns = {
        "SalesID": 1_139_245 + rng.integers(1, 25, n_rows).cumsum(),
        "SalePrice": np.clip(np.round(np.exp(log_price) / 500) * 500, *_PRICE_RANGE),
        "MachineID": rng.integers(1, 14, n_machines).cumsum()[machine],
        "ModelID": catalogue["ModelID"].to_numpy()[model[machine]],
        "datasource": rng.choice(list(DATASOURCES), n_rows, p=list(DATASOURCES.values())),
        "auctioneerID": np.where(rng.random(n_rows) < 0.05, np.nan, auctioneer),
        "YearMade": np.where(rng.random(n_rows) < 0.095, _YEAR_UNKNOWN, year_made),
        "MachineHoursCurrentMeter": hours,
        "UsageBand": _text(["Low", "Medium", "High"], _usage_band(hours, usage)),
        "saledate": saledate,
    }
    columns |= {name: catalogue[name].array.take(model[machine]) for name in _MODEL_COLUMNS}
    columns |= {"state": _text(STATES, state)}
    columns |= {name: catalogue[name].array.take(model[machine]) for name in _GROUP_COLUMNS}
    columns |= {name: _text(labels, codes[machine]) for name, (labels, codes) in options.items()}
    return pd.DataFrame(columns)


def _model_catalogue() -> pd.DataFrame:
    """Return the models on the market: their columns, product group, log price when new, share of sales."""
    rng = np.random.default_rng(1989)
    bases = pd.concat([_base_models(name, rng) for name in PRODUCT_GROUPS], ignore_index=True)
    popularity = rng.permutation(zipf(len(bases), exponent=0.6))
    models = bases.iloc[rng.choice(len(bases), 3 * _N_MODELS, p=popularity)].reset_index(drop=True)
    models["fiModelDesc"] = models["fiBaseModel"]
    for column, (missing_share, labels) in SUFFIXES.items():
        probabilities = np.append((1 - missing_share) * zipf(len(labels), offset=2.0), missing_share)
        models[column] = _text([*labels, ""], rng.choice(len(labels) + 1, len(models), p=probabilities))
        models["fiModelDesc"] += models[column]
    models = models.drop_duplicates("fiModelDesc").head(_N_MODELS)
    share = rng.permutation(zipf(len(models), offset=6.0))
    wanted_share = np.array([group.share for group in PRODUCT_GROUPS.values()])
    share *= (wanted_share / np.bincount(models["group"], share))[models["group"]]
    text = models[[*_MODEL_COLUMNS, *_GROUP_COLUMNS]]
    return text.mask(text == "").assign(
        ModelID=np.sort(rng.choice(np.arange(28, 37_199), len(models), replace=False)),
        group=models["group"],
        log_price=models["log_price"] + 0.15 * rng.standard_normal(len(models)),
        share=share,
    )


def _base_models(group_name: str, rng: np.random.Generator) -> pd.DataFrame:
    """Return the base models of one product group, from the smallest machine to the largest."""
    group = PRODUCT_GROUPS[group_name]
    n_bases = round(_N_BASE_MODELS * group.share)
    position = np.sort(rng.beta(1.5, 2.0, n_bases))  # sizes, from 0 for the smallest to 1 for the largest
    size_class = (position * (len(group.edges) - 1)).astype(int)
    size_code = np.searchsorted(list(group.sizes), group.edges[1:])  # (n_classes,)
    number = np.sort(rng.choice(np.arange(10, 1_000), n_bases, replace=False)).astype(str).astype(object)
    prefix = np.array(group.prefixes, dtype=object)[rng.choice(len(group.prefixes), n_bases)]
    low, high = group.log_prices
    return pd.DataFrame(
        {
            "fiBaseModel": (prefix + number).tolist(),
            "ProductSize": _text(list(group.sizes.values()), size_code[size_class]),
            "fiProductClassDesc": _text(class_descriptions(group), size_class),
            "ProductGroup": group_name,
            "ProductGroupDesc": group.description,
            "group": list(PRODUCT_GROUPS).index(group_name),
            "log_price": low + (high - low) * position + 0.12 * rng.standard_normal(n_bases),
        }
    )


def _draw_auction_days(n_rows: int, rng: np.random.Generator) -> np.ndarray:
    """Draw days of sale, (n_rows,) datetime64[D]: few days, mostly Thursdays, ever more sales."""
    calendar = np.arange(_FIRST_DAY, _LAST_DAY + 1)
    weekday = (calendar.astype(int) + 3) % 7  # 1970-01-01 was a Thursday
    weights = _WEEKDAY_WEIGHTS[weekday]
    days = rng.choice(calendar, _N_AUCTION_DAYS, replace=False, p=weights / weights.sum())
    n_sales = np.exp(0.09 * (_year(days) - 1989)) * rng.lognormal(sigma=1.2, size=len(days))
    return rng.choice(days, n_rows, p=n_sales / n_sales.sum())


def _draw_machines(n_rows: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the machine of each row, (n_rows,); every machine is sold once, and some are sold again."""
    n_machines = int(np.ceil(0.85 * n_rows))
    sold_again = rng.integers(n_machines, size=n_rows - n_machines)
    return rng.permutation(np.concatenate([np.arange(n_machines), sold_again]))


def _draw_years_made(saledate: np.ndarray, machine: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw the year in which the machine of each row was made, (n_rows,), no later than its first sale."""
    first_sold = np.full(machine.max() + 1, _year(_LAST_DAY))
    np.minimum.at(first_sold, machine, _year(saledate))
    age = np.minimum(rng.gamma(2.0, 4.5, len(first_sold)), 60).astype(int)
    return (first_sold - age)[machine]


def _draw_meter(age: np.ndarray, usage: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw the reading of the hour meter, (n_rows,): NaN if unknown, 0 if not filled in."""
    hours = np.ceil((age + 0.5) * 450 * np.exp(0.9 * usage))
    kind = rng.random(len(age))
    return np.select([kind < 0.645, kind < 0.825], [np.nan, 0.0], default=hours)


def _usage_band(hours: np.ndarray, usage: np.ndarray) -> np.ndarray:
    """Return the code of ``UsageBand``, (n_rows,): -1 without a meter reading."""
    return np.where(hours > 0, np.searchsorted([-0.45, 0.85], usage), -1)


def _draw_options(group: np.ndarray, rng: np.random.Generator) -> dict[str, tuple[list[str], np.ndarray]]:
    """Draw the option columns of machines whose product groups are given, as name -> (labels, codes)."""
    is_listed = rng.random(len(group)) >= 0.01
    members = [np.flatnonzero(is_listed & (group == index)) for index in range(len(PRODUCT_GROUPS))]
    options = {}
    for column, levels in option_levels().items():
        labels = list(dict.fromkeys(label for weights in levels.values() for label in weights))
        codes = np.full(len(group), -1, dtype=np.int8)
        for group_name, weights in levels.items():
            rows = members[list(PRODUCT_GROUPS).index(group_name)]
            p = np.array([weights.get(label, 0.0) for label in labels])
            codes[rows] = rng.choice(len(labels), len(rows), p=p / p.sum())
        options[column] = labels, codes
    return options


def _text(labels: list[str], codes: np.ndarray) -> ExtensionArray:
    """Return ``labels[codes]`` as pandas stores text, missing where a code is -1."""
    return pd.Series(labels).array.take(codes, allow_fill=True)


def _year(days: np.ndarray | np.datetime64) -> np.ndarray:
    """Return the calendar year of datetime64 days."""
    return days.astype("datetime64[Y]").astype(int) + 1970
