"""Levels of the generated auctions: the public vocabulary of Blue Book for Bulldozers with the share of each level."""

from itertools import pairwise, product
from typing import NamedTuple

import numpy as np

AUCTIONEERS = np.array([1, 2, 3, 4, 99, *range(5, 29), 0], dtype=float)
DATASOURCES = {132: 0.63, 136: 0.18, 149: 0.09, 121: 0.06, 172: 0.039, 173: 0.001}
_STATE_NAMES = (
    "Florida,Texas,California,Washington,Georgia,Maryland,Mississippi,Ohio,Illinois,Colorado,New Jersey,"
    "North Carolina,Tennessee,Alabama,Pennsylvania,South Carolina,Arizona,New York,Connecticut,Minnesota,"
    "Missouri,Nevada,Louisiana,Kentucky,Maine,Indiana,Arkansas,New Mexico,Utah,Unspecified,Wisconsin,"
    "New Hampshire,Virginia,Idaho,Oregon,Michigan,Wyoming,Montana,Iowa,Oklahoma,Nebraska,West Virginia,"
    "Kansas,Delaware,North Dakota,Alaska,Massachusetts,Vermont,South Dakota,Hawaii,Rhode Island,"
    "Puerto Rico,Washington DC"
)
STATES = _STATE_NAMES.split(",")


class ProductGroup(NamedTuple):
    """Properties shared by the machines of one product group."""

    share: float  # share of all sales
    description: str
    machine: str  # start of fiProductClassDesc
    unit: str  # end of fiProductClassDesc
    edges: tuple[float, ...]  # limits of the size classes, in units
    sizes: dict[float, str]  # ProductSize of the classes up to each edge, "" if missing
    prefixes: tuple[str, ...]  # prefixes of fiBaseModel; no two groups share one
    log_prices: tuple[float, float]  # log prices of the smallest and the largest machine


_INF = float("inf")
PRODUCT_GROUPS = {
    "TEX": ProductGroup(
        share=0.253,
        description="Track Excavators",
        machine="Hydraulic Excavator, Track",
        unit="Metric Tons",
        edges=(0, 2, 3, 4, 5, 6, 8, 11, 12, 14, 16, 19, 21, 24, 28, 33, 40, 50, 66, 90, 150, 300),
        sizes={8: "Mini", 19: "Small", 300: "Large / Medium"},
        prefixes=("PC", "EX", "ZX", "SK", "R"),
        log_prices=(9.1, 11.5),
    ),
    "TTT": ProductGroup(
        share=0.2,
        description="Track Type Tractors",
        machine="Track Type Tractor, Dozer",
        unit="Horsepower",
        edges=(20, 75, 85, 105, 130, 160, 190, 260, _INF),
        sizes={105: "", 190: "Medium", _INF: "Large"},
        prefixes=("D", "TD", "DX"),
        log_prices=(9.8, 11.4),
    ),
    "BL": ProductGroup(
        share=0.197,
        description="Backhoe Loaders",
        machine="Backhoe Loader",
        unit="Ft Standard Digging Depth",
        edges=(0, 14, 15, 16, _INF),
        sizes={_INF: ""},
        prefixes=("", "B"),
        log_prices=(9.6, 10.5),
    ),
    "WL": ProductGroup(
        share=0.177,
        description="Wheel Loader",
        machine="Wheel Loader",
        unit="Horsepower",
        edges=(0, 40, 60, 80, 90, 100, 110, 120, 135, 150, 175, 200, 225, 250, 275, 350, 500, 1000),
        sizes={90: "Compact", 135: "", 350: "Medium", 1000: "Large"},
        prefixes=("WA", "L", "W"),
        log_prices=(9.6, 11.4),
    ),
    "SSL": ProductGroup(
        share=0.109,
        description="Skid Steer Loaders",
        machine="Skid Steer Loader",
        unit="Lb Operating Capacity",
        edges=(0, 701, 976, 1251, 1351, 1601, 1751, 2201, 2701, _INF),
        sizes={_INF: ""},
        prefixes=("S", "T", "SL"),
        log_prices=(9.2, 9.9),
    ),
    "MG": ProductGroup(
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

_LETTERS = "CGBDHEFMJNAKLPRSTUVWXZ"
# the part of fiModelDesc after the base model: share of models without it, levels from frequent to rare
SUFFIXES = {
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


def class_descriptions(group: ProductGroup) -> list[str]:
    """Return ``fiProductClassDesc`` of each size class of a product group."""
    return [
        f"{group.machine} - {low:.1f} {'+' if high == _INF else f'to {high:.1f}'} {group.unit}"
        for low, high in pairwise(group.edges)
    ]


def option_levels() -> dict[str, dict[str, dict[str, float]]]:
    """Return the table of options as column -> product group -> level -> weight."""
    options: dict[str, dict[str, dict[str, float]]] = {}
    for line in _OPTIONS.strip().splitlines():
        column, group_names, levels = line.split(" | ")
        for group_name in group_names.split():
            weights = options.setdefault(column, {}).setdefault(group_name, {})
            for level in levels.split(", "):
                label, weight = level.rsplit(" ", 1)
                weights[label] = float(weight)
    return options
