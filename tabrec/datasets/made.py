"""Made tables: generated on the spot, never real, always available, as large as asked."""

from itertools import pairwise, product
from numbers import Integral
from typing import NamedTuple

import numpy as np
import pandas as pd

_FIRST_DAY, _LAST_DAY = np.datetime64("1989-01-17"), np.datetime64("2012-04-28")
_N_AUCTION_DAYS = 4_000
_N_BASE_MODELS, _N_MODELS = 2_200, 5_300
_WEEKDAY_WEIGHTS = np.array([0.12, 0.13, 0.18, 0.38, 0.12, 0.05, 0.02])  # Monday first
_YEAR_UNKNOWN = 1000
_FIRST_RATING, _LAST_RATING = 789_652_009, 1_574_327_703  # January 1995, November 2019
_RATING_SPELL = 30 * 24 * 3600  # seconds over which a user typically rates
_PRICE_RANGE = (4_750.0, 142_000.0)

_DEPRECIATION = 0.045  # of the log price, per year of age
_INFLATION = 0.02  # of the log price, per year of sale
_PRICE_NOISE = 0.19  # standard deviation of the log price that no column explains
_ENCLOSURE_PREMIUM = {"OROPS": -0.1, "EROPS": 0.0, "EROPS w AC": 0.2}

_AUCTIONEERS = np.array([1, 2, 3, 4, 99, *range(5, 29), 0], dtype=float)
_DATASOURCES = {132: 0.63, 136: 0.18, 149: 0.09, 121: 0.06, 172: 0.039, 173: 0.001}
_STATE_NAMES = (
    "Florida,Texas,California,Washington,Georgia,Maryland,Mississippi,Ohio,Illinois,Colorado,New Jersey,"
    "North Carolina,Tennessee,Alabama,Pennsylvania,South Carolina,Arizona,New York,Connecticut,Minnesota,"
    "Missouri,Nevada,Louisiana,Kentucky,Maine,Indiana,Arkansas,New Mexico,Utah,Unspecified,Wisconsin,"
    "New Hampshire,Virginia,Idaho,Oregon,Michigan,Wyoming,Montana,Iowa,Oklahoma,Nebraska,West Virginia,"
    "Kansas,Delaware,North Dakota,Alaska,Massachusetts,Vermont,South Dakota,Hawaii,Rhode Island,"
    "Puerto Rico,Washington DC"
)
_STATES = _STATE_NAMES.split(",")


class _ProductGroup(NamedTuple):
    """What the machines of one product group have in common."""

    share: float  # of all sales
    description: str
    machine: str  # how fiProductClassDesc begins
    unit: str  # how fiProductClassDesc ends
    edges: tuple[float, ...]  # of the size classes, in units
    sizes: dict[float, str]  # ProductSize of the classes up to each edge, "" where missing
    prefixes: tuple[str, ...]  # of fiBaseModel; no two groups share one
    log_prices: tuple[float, float]  # of the smallest and the largest machine


_INF = float("inf")
_PRODUCT_GROUPS = {
    "TEX": _ProductGroup(
        share=0.253,
        description="Track Excavators",
        machine="Hydraulic Excavator, Track",
        unit="Metric Tons",
        edges=(0, 2, 3, 4, 5, 6, 8, 11, 12, 14, 16, 19, 21, 24, 28, 33, 40, 50, 66, 90, 150, 300),
        sizes={8: "Mini", 19: "Small", 300: "Large / Medium"},
        prefixes=("PC", "EX", "ZX", "SK", "R"),
        log_prices=(9.1, 11.5),
    ),
    "TTT": _ProductGroup(
        share=0.2,
        description="Track Type Tractors",
        machine="Track Type Tractor, Dozer",
        unit="Horsepower",
        edges=(20, 75, 85, 105, 130, 160, 190, 260, _INF),
        sizes={105: "", 190: "Medium", _INF: "Large"},
        prefixes=("D", "TD", "DX"),
        log_prices=(9.8, 11.4),
    ),
    "BL": _ProductGroup(
        share=0.197,
        description="Backhoe Loaders",
        machine="Backhoe Loader",
        unit="Ft Standard Digging Depth",
        edges=(0, 14, 15, 16, _INF),
        sizes={_INF: ""},
        prefixes=("", "B"),
        log_prices=(9.6, 10.5),
    ),
    "WL": _ProductGroup(
        share=0.177,
        description="Wheel Loader",
        machine="Wheel Loader",
        unit="Horsepower",
        edges=(0, 40, 60, 80, 90, 100, 110, 120, 135, 150, 175, 200, 225, 250, 275, 350, 500, 1000),
        sizes={90: "Compact", 135: "", 350: "Medium", 1000: "Large"},
        prefixes=("WA", "L", "W"),
        log_prices=(9.6, 11.4),
    ),
    "SSL": _ProductGroup(
        share=0.109,
        description="Skid Steer Loaders",
        machine="Skid Steer Loader",
        unit="Lb Operating Capacity",
        edges=(0, 701, 976, 1251, 1351, 1601, 1751, 2201, 2701, _INF),
        sizes={_INF: ""},
        prefixes=("S", "T", "SL"),
        log_prices=(9.2, 9.9),
    ),
    "MG": _ProductGroup(
        share=0.064,
        description="Motor Graders",
        machine="Motorgrader",
        unit="Horsepower",
        edges=(45, 130, 145, 170, 200, _INF),
        sizes={_INF: ""},
        prefixes=("G", "GD"),
        log_prices=(9.8, 11.6),
    ),
}

_MODEL_COLUMNS = (
    "fiModelDesc",
    "fiBaseModel",
    "fiSecondaryDesc",
    "fiModelSeries",
    "fiModelDescriptor",
    "ProductSize",
    "fiProductClassDesc",
    "ProductGroup",
    "ProductGroupDesc",
)
_LETTERS = "CGBDHEFMJNAKLPRSTUVWXZ"
# what follows the base model in fiModelDesc: share of models without it, levels from frequent to rare
_SUFFIXES = {
    "fiSecondaryDesc": (0.44, [*_LETTERS, *map("".join, product("LCXESTP", _LETTERS))]),
    "fiModelSeries": (0.88, ["II", "III", "IV", "V", "VI", *(f"-{n}" for n in range(1, 110)), *"12345678"]),
    "fiModelDescriptor": (0.86, ["LGP", "XL", "LC", "CR", "LT", *map("".join, product("HZLVNW", _LETTERS))]),
}

# column | product groups that have it (missing in all others) | level and its percent, ...
_OPTIONS = """
Drive_System | BL | Two Wheel Drive 53, Four Wheel Drive 46, All Wheel Drive 1
Drive_System | MG | No 94, All Wheel Drive 6
Enclosure | BL TTT | OROPS 62, EROPS w AC 26, EROPS 12
Enclosure | SSL | OROPS 76, EROPS 15, EROPS w AC 9
Enclosure | WL MG | EROPS w AC 55, EROPS 24, OROPS 21
Enclosure | TEX | EROPS w AC 53, EROPS 46.9, OROPS 0.1
Forks | BL SSL WL | None or Unspecified 86, Yes 14
Pad_Type | BL | None or Unspecified 86, Reversible 10, Street 3.9, Grouser 0.1
Ride_Control | BL | No 92, Yes 7.7, None or Unspecified 0.3
Ride_Control | WL | None or Unspecified 82, Yes 18
Stick | BL | Standard 56, Extended 44
Transmission | BL | Standard 82, Powershuttle 10, Powershift 4, Hydrostatic 3, Autoshift 0.6, Direct Drive 0.4
Transmission | TTT | Standard 58, Powershift 22, Hydrostatic 19, Direct Drive 0.5, None or Unspecified 0.5
Transmission | MG | None or Unspecified 69, Powershift 31
Turbocharged | BL | None or Unspecified 96, Yes 4
Blade_Extension | MG | None or Unspecified 94, Yes 6
Blade_Width | MG | None or Unspecified 37, 14' 33, 12' 25, 16' 4, 13' 0.8, <12' 0.2
Enclosure_Type | MG | None or Unspecified 79, Low Profile 15, High Profile 6
Engine_Horsepower | MG | No 93, Variable 7
Hydraulics | TTT WL | 2 Valve 93, 3 Valve 4, 4 Valve 3
Hydraulics | TEX | Standard 57, Auxiliary 43
Hydraulics | SSL | Auxiliary 80, Standard 20
Hydraulics | MG | Base + 1 Function 95.6, Base + 3 Function 2.4, Base + 4 Function 0.8, Base + 5 Function 0.6
Hydraulics | MG | Base + 2 Function 0.4, Base + 6 Function 0.2
Pushblock | MG | None or Unspecified 78, Yes 22
Ripper | TTT | None or Unspecified 77, Multi Shank 14, Single Shank 9
Ripper | MG | None or Unspecified 67, Yes 33
Scarifier | MG | Yes 56, None or Unspecified 44
Tip_Control | MG | None or Unspecified 85, Sideshift & Tip 10, Tip 5
Tire_Size | WL | None or Unspecified 45, 20.5 26, 23.5 14, 26.5 8, 29.5 4, 17.5 2.7, 15.5 0.3
Tire_Size | MG | None or Unspecified 45, 14" 39, 17.5" 6, 20.5" 3, 15.5" 3, 13" 2.7, 23.5" 1
Tire_Size | MG | 7.0" 0.2, 10" 0.1
Coupler | SSL | None or Unspecified 64, Manual 33, Hydraulic 3
Coupler | TEX WL | None or Unspecified 82, Manual 10, Hydraulic 8
Coupler_System | SSL | None or Unspecified 77, Yes 23
Grouser_Tracks | SSL | None or Unspecified 84, Yes 16
Hydraulics_Flow | SSL | Standard 96, High Flow 3.8, None or Unspecified 0.2
Track_Type | TEX | Steel 79, Rubber 21
Undercarriage_Pad_Width | TEX | None or Unspecified 82, 32 inch 4.5, 24 inch 3, 28 inch 2
Undercarriage_Pad_Width | TEX | 16 inch 2, 36 inch 2, 18 inch 1.2, 30 inch 1, 20 inch 0.7, 34 inch 0.5
Undercarriage_Pad_Width | TEX | 27 inch 0.2, 31 inch 0.2, 14 inch 0.2, 33 inch 0.1, 26 inch 0.1, 22 inch 0.1
Undercarriage_Pad_Width | TEX | 15 inch 0.1, 25 inch 0.1, 31.5 inch 0.1
Stick_Length | TEX | None or Unspecified 87.4, 10' 6" 2.2, 9' 6" 2, 9' 8" 1.2, 9' 7" 1.1, 11' 0" 1
Stick_Length | TEX | 9' 10" 0.9, 10' 2" 0.8, 12' 10" 0.8, 10' 10" 0.4, 8' 6" 0.3, 8' 2" 0.3, 8' 4" 0.2
Stick_Length | TEX | 12' 8" 0.2, 15' 9" 0.2, 11' 10" 0.2, 9' 5" 0.1, 6' 3" 0.1, 8' 10" 0.1, 12' 4" 0.1
Stick_Length | TEX | 13' 10" 0.1, 13' 7" 0.1, 13' 9" 0.1
Thumb | TEX | None or Unspecified 72, Hydraulic 17, Manual 11
Pattern_Changer | TEX | None or Unspecified 83, Yes 16.8, No 0.2
Grouser_Type | TEX | Double 84.9, Triple 15, Single 0.1
Backhoe_Mounting | TTT | None or Unspecified 99.9, Yes 0.1
Blade_Type | TTT | PAT 38, None or Unspecified 35.9, Semi U 10, VPAT 7, Straight 6, U 1, Angle 1, No 0.9
Blade_Type | TTT | Landfill 0.1, Coal 0.1
Travel_Controls | TTT | None or Unspecified 75, Differential Steer 14, Finger Tip 5, Lever 4
Travel_Controls | TTT | 2 Pedal 1, Pedal 0.9, 1 Speed 0.1
Differential_Type | WL | Standard 97.3, Limited Slip 2.4, No Spin 0.2, Locking 0.1
Steering_Controls | WL | Conventional 97.8, Command Control 2, Four Wheel Standard 0.1, Wheel 0.05, No 0.05
"""


def make_auctions(n_rows=10_000, *, random_state=None):
    """Make a table of auctioned machines that looks like Blue Book for Bulldozers.

    The table is made, not real; it is drawn so that cardinalities, missing shares and long tails resemble
    Kaggle's Blue Book for Bulldozers, whose full table has 412,698 rows. No row of that table is in it.

    What the columns promise one another: a ``ModelID`` fixes every ``fi*`` column, ``ProductSize`` and the
    product group; the product group decides which of the option columns are missing; a machine sold twice
    keeps its model, its options and, where known, its year; nothing is sold before it is made. The
    catalogue of models is the same for every `random_state`: two draws are two samples of one market.

    The log of ``SalePrice`` is the model's own level, less depreciation with age and use, plus premiums for
    the enclosure and the state, plus inflation, plus normal noise, kept within 4,750 and 142,000 dollars.

    Parameters
    ----------
    n_rows : int, default=10_000
        Number of sales, at least 1.
    random_state : None, int, numpy.random.Generator or numpy.random.RandomState, default=None
        Seed of the draw. An int gives the same table at every call.

    Returns
    -------
    pandas.DataFrame of shape (n_rows, 53)
        The columns of Kaggle's ``Train.csv`` in its order, by kind:

        - identifiers: ``SalesID`` (unique, rising), ``MachineID``, ``ModelID``, ``datasource``,
          ``auctioneerID`` (float, some missing);
        - the target: ``SalePrice``, in whole dollars;
        - numbers: ``YearMade`` (1000 where unknown), ``MachineHoursCurrentMeter`` (mostly missing, often 0);
        - the date: ``saledate``, as ``datetime64`` in the resolution that pandas gives to days; rows are
          not in its order;
        - text, in the type that pandas gives to strings: all others, from ``UsageBand`` to
          ``Steering_Controls``.

    Raises
    ------
    TypeError
        If `n_rows` is no int, or `random_state` none of the above.
    ValueError
        If `n_rows` is below 1, or `random_state` is a negative int.

    References
    ----------
    Kaggle, Blue Book for Bulldozers, https://www.kaggle.com/c/bluebook-for-bulldozers

    Examples
    --------
    >>> from tabrec.datasets.made import make_auctions
    >>> sales = make_auctions(1_000, random_state=0)
    >>> sales.shape
    (1000, 53)
    >>> sorted(sales["UsageBand"].dropna().unique())
    ['High', 'Low', 'Medium']
    >>> bool((sales["saledate"].dt.year >= sales["YearMade"]).all())
    True
    """
    _check_count("n_rows", n_rows)
    rng = _generator(random_state)
    catalogue = _model_catalogue()
    saledate = _draw_auction_days(n_rows, rng)
    machine = _draw_machines(n_rows, rng)
    n_machines = machine.max() + 1
    model = rng.choice(len(catalogue), n_machines, p=catalogue["share"].to_numpy())  # (n_machines,)
    year_made = _draw_years_made(saledate, machine, rng)
    options = _draw_options(catalogue["group"].to_numpy()[model], rng)
    age = _year(saledate) - year_made
    usage = rng.standard_normal(n_rows)
    auctioneer = rng.choice(_AUCTIONEERS, n_rows, p=_zipf(len(_AUCTIONEERS), exponent=1.5))
    state = rng.choice(len(_STATES), n_rows, p=_zipf(len(_STATES), offset=0.5))

    enclosures, enclosure = options["Enclosure"]
    premium = np.array([*(_ENCLOSURE_PREMIUM[label] for label in enclosures), 0.0])  # code -1 is the last
    log_price = (
        catalogue["log_price"].to_numpy()[model[machine]]
        + premium[enclosure[machine]]
        - _DEPRECIATION * age
        - 0.04 * usage
        + np.linspace(0.05, -0.05, len(_STATES))[state]
        + _INFLATION * (_year(saledate) - 1989)
        + _PRICE_NOISE * rng.standard_normal(n_rows)
    )
    hours = _draw_meter(age, usage, rng)
    columns = {
        "SalesID": 1_139_245 + rng.integers(1, 25, n_rows).cumsum(),
        "SalePrice": np.clip(np.round(np.exp(log_price) / 500) * 500, *_PRICE_RANGE),
        "MachineID": rng.integers(1, 14, n_machines).cumsum()[machine],
        "ModelID": catalogue["ModelID"].to_numpy()[model[machine]],
        "datasource": rng.choice(list(_DATASOURCES), n_rows, p=list(_DATASOURCES.values())),
        "auctioneerID": np.where(rng.random(n_rows) < 0.05, np.nan, auctioneer),
        "YearMade": np.where(rng.random(n_rows) < 0.095, _YEAR_UNKNOWN, year_made),
        "MachineHoursCurrentMeter": hours,
        "UsageBand": _text(["Low", "Medium", "High"], _usage_band(hours, usage)),
        "saledate": saledate,
    }
    columns |= {name: catalogue[name].array.take(model[machine]) for name in _MODEL_COLUMNS}
    columns |= {name: _text(labels, codes[machine]) for name, (labels, codes) in options.items()}
    auctions = pd.DataFrame(columns)
    auctions.insert(auctions.columns.get_loc("ProductGroup"), "state", _text(_STATES, state))
    return auctions


def _model_catalogue():
    """Return the models on the market: their columns, product group, log price when new, share of sales."""
    rng = np.random.default_rng(1989)
    bases = pd.concat([_base_models(name, rng) for name in _PRODUCT_GROUPS], ignore_index=True)
    popularity = rng.permutation(_zipf(len(bases), exponent=0.6))
    models = bases.iloc[rng.choice(len(bases), 3 * _N_MODELS, p=popularity)].reset_index(drop=True)
    models["fiModelDesc"] = models["fiBaseModel"]
    for column, (missing_share, labels) in _SUFFIXES.items():
        probabilities = np.append((1 - missing_share) * _zipf(len(labels), offset=2.0), missing_share)
        models[column] = _text([*labels, ""], rng.choice(len(labels) + 1, len(models), p=probabilities))
        models["fiModelDesc"] += models[column]
    models = models.drop_duplicates("fiModelDesc").head(_N_MODELS)
    share = rng.permutation(_zipf(len(models), offset=6.0))
    wanted_share = np.array([group.share for group in _PRODUCT_GROUPS.values()])
    share *= (wanted_share / np.bincount(models["group"], share))[models["group"]]
    text = models[list(_MODEL_COLUMNS)]
    return text.mask(text == "").assign(
        ModelID=np.sort(rng.choice(np.arange(28, 37_199), len(models), replace=False)),
        group=models["group"],
        log_price=models["log_price"] + 0.15 * rng.standard_normal(len(models)),
        share=share,
    )


def _base_models(group_name, rng):
    """Return the base models of one product group, from the smallest machine to the largest."""
    group = _PRODUCT_GROUPS[group_name]
    n_bases = round(_N_BASE_MODELS * group.share)
    position = np.sort(rng.beta(1.5, 2.0, n_bases))  # of the machine between smallest, 0, and largest, 1
    size_class = (position * (len(group.edges) - 1)).astype(int)
    size_code = np.searchsorted(list(group.sizes), group.edges[1:])  # (n_classes,)
    number = np.sort(rng.choice(np.arange(10, 1_000), n_bases, replace=False)).astype(str).astype(object)
    prefix = np.array(group.prefixes, dtype=object)[rng.choice(len(group.prefixes), n_bases)]
    low, high = group.log_prices
    return pd.DataFrame(
        {
            "fiBaseModel": (prefix + number).tolist(),
            "ProductSize": _text(list(group.sizes.values()), size_code[size_class]),
            "fiProductClassDesc": _text(_class_descriptions(group), size_class),
            "ProductGroup": group_name,
            "ProductGroupDesc": group.description,
            "group": list(_PRODUCT_GROUPS).index(group_name),
            "log_price": low + (high - low) * position + 0.12 * rng.standard_normal(n_bases),
        }
    )


def _class_descriptions(group):
    """Return ``fiProductClassDesc`` of each size class of a product group."""
    return [
        f"{group.machine} - {low:.1f} {'+' if high == _INF else f'to {high:.1f}'} {group.unit}"
        for low, high in pairwise(group.edges)
    ]


def _draw_auction_days(n_rows, rng):
    """Draw days of sale, (n_rows,) datetime64[D]: few days, mostly Thursdays, ever more sales."""
    calendar = np.arange(_FIRST_DAY, _LAST_DAY + 1)
    weekday = (calendar.astype(int) + 3) % 7  # 1970-01-01 was a Thursday
    weights = _WEEKDAY_WEIGHTS[weekday]
    days = rng.choice(calendar, _N_AUCTION_DAYS, replace=False, p=weights / weights.sum())
    n_sales = np.exp(0.09 * (_year(days) - 1989)) * rng.lognormal(sigma=1.2, size=len(days))
    return rng.choice(days, n_rows, p=n_sales / n_sales.sum())


def _draw_machines(n_rows, rng):
    """Draw which machine each row sells, (n_rows,): each machine once, some of them again."""
    n_machines = int(np.ceil(0.85 * n_rows))
    sold_again = rng.integers(n_machines, size=n_rows - n_machines)
    return rng.permutation(np.concatenate([np.arange(n_machines), sold_again]))


def _draw_years_made(saledate, machine, rng):
    """Draw the year in which the machine of each row was made, (n_rows,), no later than its first sale."""
    first_sold = np.full(machine.max() + 1, _year(_LAST_DAY))
    np.minimum.at(first_sold, machine, _year(saledate))
    age = np.minimum(rng.gamma(2.0, 4.5, len(first_sold)), 60).astype(int)
    return (first_sold - age)[machine]


def _draw_meter(age, usage, rng):
    """Draw what the hour meter shows, (n_rows,): NaN where nobody read it, 0 where it was not filled in."""
    hours = np.ceil((age + 0.5) * 450 * np.exp(0.9 * usage))
    kind = rng.random(len(age))
    return np.select([kind < 0.645, kind < 0.825], [np.nan, 0.0], default=hours)


def _usage_band(hours, usage):
    """Return the code of ``UsageBand``, (n_rows,): -1 where the meter shows nothing."""
    return np.where(hours > 0, np.searchsorted([-0.45, 0.85], usage), -1)


def _draw_options(group, rng):
    """Draw the option columns of machines whose product groups are given, as name -> (labels, codes)."""
    is_listed = rng.random(len(group)) >= 0.01
    members = [np.flatnonzero(is_listed & (group == index)) for index in range(len(_PRODUCT_GROUPS))]
    options = {}
    for column, levels in _option_levels().items():
        labels = list(dict.fromkeys(label for weights in levels.values() for label in weights))
        codes = np.full(len(group), -1, dtype=np.int8)
        for group_name, weights in levels.items():
            rows = members[list(_PRODUCT_GROUPS).index(group_name)]
            p = np.array([weights.get(label, 0.0) for label in labels])
            codes[rows] = rng.choice(len(labels), len(rows), p=p / p.sum())
        options[column] = labels, codes
    return options


def _option_levels():
    """Return the table of options as column -> product group -> level -> weight."""
    options = {}
    for line in _OPTIONS.strip().splitlines():
        column, group_names, levels = line.split(" | ")
        for group_name in group_names.split():
            weights = options.setdefault(column, {}).setdefault(group_name, {})
            for level in levels.split(", "):
                label, weight = level.rsplit(" ", 1)
                weights[label] = float(weight)
    return options


def make_ratings(n_ratings=100_000, *, n_users=None, n_items=None, random_state=None):
    """Make a ratings list that looks like MovieLens.

    The ratings are made, not real: drawn so that the tails of activity and popularity, the spread of the
    ratings and the share of all pairs that is rated resemble MovieLens. A rating is the global mean plus a
    bias of the user, a bias of the item and the product of five user and five item factors, plus normal
    noise, rounded to half stars. Biases alone reach an RMSE of about 0.94, factors as well about 0.8.

    Parameters
    ----------
    n_ratings : int, default=100_000
        Number of ratings, at least 1 and at most half of ``n_users * n_items``.
    n_users, n_items : int, default=None
        Size of the pools that users and items come from; the least active and the least popular may go
        without a rating. None takes what MovieLens has at that number of ratings: 943 users and 1,682
        items at 100,000; about 162,500 users and 59,000 items at 25,000,000.
    random_state : None, int, numpy.random.Generator or numpy.random.RandomState, default=None
        Seed of the draw. An int gives the same ratings at every call.

    Returns
    -------
    pandas.DataFrame of shape (n_ratings, 4)
        In the order of user, then item, no pair twice:

        - ``user``, ``item`` : int64, from 1 to `n_users` and to `n_items`;
        - ``rating`` : float64, 0.5 to 5 in half stars;
        - ``timestamp`` : int64, seconds since 1970-01-01 UTC, in 1995 or later.

    Raises
    ------
    TypeError
        If a number is no int, or `random_state` none of the above.
    ValueError
        If a number is below 1, `n_ratings` is more than half of the pairs, or `random_state` is a negative
        int.

    References
    ----------
    F. M. Harper, J. A. Konstan, The MovieLens Datasets: History and Context, ACM TiiS 5 (4), 2015.

    Examples
    --------
    >>> from tabrec.datasets.made import make_ratings
    >>> ratings = make_ratings(1_000, random_state=0)
    >>> list(ratings.columns)
    ['user', 'item', 'rating', 'timestamp']
    >>> bool(ratings.duplicated(["user", "item"]).any())
    False
    >>> float(ratings["rating"].min()), float(ratings["rating"].max())
    (0.5, 5.0)
    """
    _check_count("n_ratings", n_ratings)
    movielens_users, movielens_items = _movielens_sizes(n_ratings)
    n_users = movielens_users if n_users is None else n_users
    n_items = movielens_items if n_items is None else n_items
    _check_count("n_users", n_users)
    _check_count("n_items", n_items)
    if n_ratings > n_users * n_items / 2:
        raise ValueError(
            f"n_ratings={n_ratings} is more than half of the pairs that n_users={n_users} and "
            f"n_items={n_items} can form ({n_users * n_items}); ask for fewer ratings or more users or items."
        )
    rng = _generator(random_state)
    user, item = _draw_pairs(n_ratings, n_users, n_items, rng)
    joined = rng.integers(_FIRST_RATING, _LAST_RATING, n_users)
    return pd.DataFrame(
        {
            "user": user + 1,
            "item": item + 1,
            "rating": _draw_ratings(user, item, n_users, n_items, rng),
            "timestamp": joined[user] + (_RATING_SPELL * rng.standard_exponential(n_ratings)).astype(np.int64),
        }
    )


def _movielens_sizes(n_ratings):
    """Return how many users and items MovieLens has at this number of ratings."""
    scale = n_ratings / 100_000
    # above: fitted to the 100k and the 25M release; below: the density of the 100k release
    user_power, item_power = (0.9327, 0.6445) if scale > 1 else (0.5, 0.5)
    return int(np.ceil(943 * scale**user_power)), int(np.ceil(1682 * scale**item_power))


def _draw_pairs(n_ratings, n_users, n_items, rng):
    """Draw distinct pairs with long tails: user and item, (n_ratings,) each, from 0, in ascending order."""
    activity = rng.lognormal(sigma=1.1, size=n_users)
    popularity = rng.permutation(_zipf(n_items, exponent=2.0, offset=3 * n_items**0.5))
    keys = np.empty(0, dtype=np.int64)  # user * n_items + item, each once
    surplus = 1.1  # popular pairs come up again and again, so draw ever more than are wanting
    while len(keys) < n_ratings:
        n_draws = int(surplus * (n_ratings - len(keys))) + 1
        user = np.repeat(np.arange(n_users), rng.multinomial(n_draws, activity / activity.sum()))
        item = rng.permutation(np.repeat(np.arange(n_items), rng.multinomial(n_draws, popularity)))
        keys = np.sort(np.concatenate([keys, user * n_items + item]))
        keys = keys[np.diff(keys, prepend=-1) > 0]  # np.unique hashes: fifty times slower than sorting
        surplus *= 2
    keys = np.sort(rng.choice(keys, n_ratings, replace=False, shuffle=False))
    return np.divmod(keys, n_items)


def _draw_ratings(user, item, n_users, n_items, rng):
    """Draw the rating of each pair, (n_ratings,): biases, factors and noise, in half stars."""
    user_bias = 0.4 * rng.standard_normal(n_users, dtype=np.float32)
    item_bias = 0.4 * rng.standard_normal(n_items, dtype=np.float32)
    score = 3.5 + user_bias[user] + item_bias[item]
    for _ in range(5):
        user_factor = 0.52 * rng.standard_normal(n_users, dtype=np.float32)
        item_factor = 0.52 * rng.standard_normal(n_items, dtype=np.float32)
        score += user_factor[user] * item_factor[item]
    score += 0.8 * rng.standard_normal(len(user), dtype=np.float32)
    return np.clip(np.round(2 * score) / 2, 0.5, 5.0).astype(np.float64)


def _text(labels, codes):
    """Return ``labels[codes]`` as pandas stores text, missing where a code is -1."""
    return pd.Series(labels).array.take(codes, allow_fill=True)


def _year(days):
    """Return the calendar year of datetime64 days."""
    return days.astype("datetime64[Y]").astype(int) + 1970


def _zipf(n_levels, exponent=1.0, offset=1.0):
    """Return the probabilities of Zipf-Mandelbrot ranks, (n_levels,), most likely first."""
    weights = (np.arange(n_levels) + offset) ** -exponent
    return weights / weights.sum()


def _check_count(name, value):
    """Raise unless `value` is an int of at least 1."""
    if not isinstance(value, Integral):
        raise TypeError(f"{name}={value!r} must be an int, at least 1; got {type(value).__name__}.")
    if value < 1:
        raise ValueError(f"{name}={value!r} must be at least 1.")


def _generator(random_state):
    """Return a numpy Generator for any accepted `random_state`."""
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**31 - 1))
    if not (random_state is None or isinstance(random_state, Integral | np.random.Generator)):
        raise TypeError(f"random_state={random_state!r} must be None, an int, a numpy Generator or a RandomState.")
    if isinstance(random_state, Integral) and random_state < 0:
        raise ValueError(f"random_state={random_state!r} must not be negative.")
    return np.random.default_rng(random_state)
