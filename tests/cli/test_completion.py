"""Shell completion of commands, options and values, without loading the modules of models."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest

from tabrec.cli import _catalogue, _completion

COMPLETE = """
import sys
from tabrec.cli import main
sys.argv = ["tabrec"]
try:
    main()
finally:
    print([name for name in ("torch", "pandas", "sklearn", "numpy") if name in sys.modules], file=sys.stderr)
"""
SHELLS = ["bash", "zsh", "fish"]


def complete(line, folder, shell="bash"):
    """Return the completions of a line, and assert that no slow module was imported."""
    words = line.split(" ")
    asked = {
        "_TABREC_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    done = subprocess.run(
        [sys.executable, "-c", COMPLETE], capture_output=True, text=True, cwd=folder, env=os.environ | asked
    )
    assert done.stderr.strip() == "[]", done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Folder with two runs of train (one of the demo), one run of rate, and a folder that is not a run."""
    folder = tmp_path_factory.mktemp("completion")
    metadata = {"sales-net": {"model": "net", "target": "price"}, "demo/forest": {"model": "forest", "target": "p"}}
    for name, written in (metadata | {"ml": {"model": "bayes", "rating": "rating"}}).items():
        (folder / "runs" / name).mkdir(parents=True)
        (folder / "runs" / name / "metrics.json").write_text(json.dumps(written))
    (folder / "runs/empty").mkdir()
    (folder / "runs/broken").mkdir()
    (folder / "runs/broken/metrics.json").write_text("[")
    return folder


CASES = {
    "tabrec re": ["recommend"],
    "tabrec train t.csv --time": ["--time-column"],
    "tabrec train t.csv --model ": ["forest", "boosting", "net", "ensemble", "all"],
    "tabrec train t.csv --task c": ["classification"],
    "tabrec rate r.csv --model b": ["bayes"],
    "tabrec rank c.csv --model b": ["bpr", "blend"],
    "tabrec download movielens-1": ["movielens-100k", "movielens-1m"],
    "tabrec predict ": ["runs/demo/forest", "runs/sales-net"],
    "tabrec recommend runs/": ["runs/ml"],
    "tabrec explain runs/s": ["runs/sales-net"],
    "tabrec explain elsewhere/": [],
}


@pytest.mark.parametrize("line", CASES)
def test_bash_is_told_the_values(folder, line):
    assert complete(line, folder).split() == CASES[line]


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_is_told_the_models(folder, shell):
    printed = complete("tabrec train t.csv --model ", folder, shell)
    for model in _completion.TABLE_MODELS:
        assert model in printed
    assert ("many trees, averaged" in printed) == (shell != "bash")  # bash shows names alone


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_gets_its_script(shell):
    asked = {"_TABREC_COMPLETE": f"source_{shell}"}
    done = subprocess.run(
        [sys.executable, "-c", COMPLETE], capture_output=True, text=True, env=os.environ | asked, check=True
    )
    assert "_TABREC_COMPLETE=complete_" + shell in done.stdout


@pytest.mark.skipif(importlib.util.find_spec("shellingham") is None, reason="typer finds the shell by shellingham")
def test_installing_writes_to_the_home_of_the_user_alone(tmp_path):
    changed = os.environ | {
        "HOME": str(tmp_path),
        "SHELL": "/bin/bash",
        "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
    }
    code = "import sys; sys.argv = ['tabrec', '--install-completion', 'bash']\nfrom tabrec.cli import main\nmain()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=changed)
    assert done.returncode == 0, done.stderr
    assert "_TABREC_COMPLETE" in "".join(path.read_text() for path in tmp_path.rglob("*.sh"))


def test_the_names_are_those_of_the_library():
    from tabrec import datasets
    from tabrec.runs import ranking_run, rating_run, trials

    assert list(_completion.TABLE_MODELS) == list(trials.MODELS)
    assert list(_completion.RATING_MODELS) == list(rating_run.MODELS)
    assert list(_completion.RANKING_MODELS) == list(ranking_run.MODELS)
    assert list(_catalogue.DATASETS) == list(datasets.DATASETS)
    for name, listed in _catalogue.DATASETS.items():
        assert f"({listed.source})" in datasets.DATASETS[name]
