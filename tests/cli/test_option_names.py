"""Errors of the library name parameters as options."""

import pytest
import typer

from tabrec.cli._app import app
from tabrec.cli._option_names import name_options

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
    ],
)
def test_parameters_become_options_and_columns_do_not(message, expected):
    assert name_options(message, COMMANDS) == expected
