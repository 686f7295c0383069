"""Errors and warnings of the library name parameters as options."""

import warnings

import pandas as pd
import pytest
import typer

from tabrec import TabularPreprocessor
from tabrec.cli._app import app
from tabrec.cli._option_names import name_options
from tabrec.collab.rating_columns import find_id_columns
from tabrec.preprocess.date_parts import DateParts

COMMANDS = list(typer.main.get_command(app).commands.values())


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("metric='auc' does not suit a regression", "--metric 'auc' does not suit a regression"),
        ("valid_from='2011' requires time_column, the", "--valid-from '2011' requires --time-column, the"),
        ("proba=True requires classes", "--proba requires classes"),
        ("id_column is absent", "--id is absent"),
        ("Name them: --names a,b (names=[...] in Python). Or --header.", "Name them: --names a,b. Or --header."),
        ("Name it with --rating COLUMN (in Python: rating='column').", "Name it with --rating COLUMN."),
        ("Use EASE (in Python: fit(X)). Or metric='auc'.", "Use EASE. Or --metric 'auc'."),
        ("drop_columns names ['b']", "--drop names ['b']"),
        ("The 'cv' parameter of train must be an int", "--cv must be an int"),
        (
            "The table has no column 'time_column' for the target",
            "The table has no column 'time_column' for the target",
        ),
        ("the target and the model", "the target and the model"),
        ("Retrain without it, with drop_and_compare.", "Retrain without it, with --drop."),
        ("Check their coverage(y) on rows held out.", "Check their coverage on rows held out."),
        ("All but one: try_dropping shows the value of each.", "All but one: leave them out with --drop."),
    ],
)
def test_parameters_become_options_and_columns_do_not(message, expected):
    assert name_options(message, COMMANDS) == expected


FRAMES = {
    "two formats": {"day": ["2020-01-31", "2020-02-01", "31.01.2020", "13.02.2020"], "x": [1.5, 2, 3, 4]},
    "ambiguous": {"day": ["01/02/2020", "03/04/2020", "05/06/2020"], "x": [1.5, 2, 3]},
    "row numbers": {"Unnamed: 0": [0, 1, 2, 3], "x": [1.5, 2, 3, 4]},
    "spellings": {"state": ["Ohio", "ohio", "Utah"]},
    "mixed": {"width": ["12 inch", "16 inch", "20 inch", "24 inch", "28 inch", "None or so", "30 inch"]},
}


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("two formats", "Give the format of a column, --date COLUMN=FORMAT, if this is wrong."),
        ("ambiguous", "Give its format: --date 'day=%d/%m/%Y'."),
        ("row numbers", "list them in --categorical to keep them."),
        ("spellings", "Rewrite them if they are the same."),
        ("mixed", "Pass --missing to read these as missing, or --categorical if it holds labels."),
    ],
)
def test_warnings_of_columns_advise_options(name, advice):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        TabularPreprocessor().fit(pd.DataFrame(FRAMES[name]))
    said = name_options(str(caught[0].message), COMMANDS)
    assert said.endswith(advice)
    assert "columns=" not in said
    assert "_columns" not in said


def test_errors_of_columns_advise_options():
    days = pd.DataFrame({"day": ["01/02/2020", "03/04/2020"]})
    with pytest.raises(ValueError, match="can be read as") as caught:
        DateParts(["day"]).fit(days)
    assert name_options(str(caught.value), COMMANDS).endswith("Give its format: --date 'day=%m/%d/%Y'.")
    wide = pd.DataFrame([range(40)], columns=[f"x{i}" for i in range(40)])
    with pytest.raises(ValueError, match="none with a usual name") as caught:
        find_id_columns(wide, None, None, "EASE")
    assert name_options(str(caught.value), COMMANDS).endswith("name two of them by --user and --item.")
