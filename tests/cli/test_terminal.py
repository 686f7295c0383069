"""Output to a terminal, a file, a closed pipe and other encodings; Ctrl-C leaves no files."""

import os
import shutil
import signal
import subprocess
import sys

import pandas as pd
import pytest

from tabrec.datasets import make_auctions

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("small_models")]

PROGRAM = [sys.executable, "-m", "tabrec"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "auctions.csv"
    auctions = make_auctions(300, random_state=0)[["SalePrice", "YearMade", "ProductSize", "fiProductClassDesc"]]
    auctions = auctions.assign(remarks="ein längerer Text, über mehr als eine Zeile, der nirgends endet")
    auctions.to_csv(path, index=False)
    return path


def start(folder, *arguments, **changes):
    environ = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "FORCE_COLOR")}
    environ |= {"PYTHONIOENCODING": "utf-8", "OMP_NUM_THREADS": "1"} | changes
    pipe = subprocess.PIPE
    return subprocess.Popen([*PROGRAM, *map(str, arguments)], stdout=pipe, stderr=pipe, cwd=folder, env=environ)


def finish(process):
    printed, complained = process.communicate(timeout=300)
    return process.returncode, printed.decode("utf-8"), complained.decode("utf-8")


def test_a_log_has_no_control_characters_and_fits_80_columns(table, tmp_path):
    shutil.copy(table, tmp_path / "t.csv")  # its path is printed, whatever its length
    options = ["--target", "SalePrice", "--no-refit", "--out", "r"]
    code, printed, complained = finish(start(tmp_path, "train", "t.csv", *options))
    assert (code, complained) == (0, "")
    assert not {"\x1b", "\r", "\b"} & set(printed)
    assert max(map(len, printed.splitlines())) <= 80
    assert "The run is in r:" in printed


def test_an_ascii_log_is_readable(table, tmp_path):
    pd.read_csv(table).rename(columns={"remarks": "Erläuterung"}).to_csv(tmp_path / "t.csv", index=False)
    code, printed, _ = finish(start(tmp_path, "columns", "t.csv", PYTHONIOENCODING="ascii"))
    assert code == 0
    assert printed.isascii()
    assert "Erl?uterung" in printed
    table_lines = [line for line in printed.splitlines() if line.startswith(("+", "|"))]
    assert len({len(line) for line in table_lines}) == 1


def test_the_reasons_of_columns_wrap_within_the_width(run, table, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    _, printed, _ = run("columns", table)
    rows = [line.split("│") for line in printed.splitlines() if line.startswith("│")]
    assert [row[1].strip() for row in rows if row[1].strip()] == [
        *("SalePrice", "YearMade", "ProductSize", "fiProductClassDesc", "remarks")
    ]
    assert "constant" in " ".join(row[-2].strip() for row in rows)
    assert max(map(len, printed.splitlines())) <= 80 or str(table) in printed.splitlines()[0]


def test_markup_in_names_is_printed_as_it_is(run, tmp_path):
    frame = pd.DataFrame({"[b]x[/b]": range(60), "[red]y": [value % 7 for value in range(60)]})
    frame.to_csv(tmp_path / "t.csv", index=False)
    _, printed, _ = run("columns", "t.csv")
    assert "[b]x[/b]" in printed
    assert run("train", "t.csv", "--target", "[red]y", "--out", "r[i]")[1].count("[red]y") == 1
    assert "predictions of [red]y are in [i].csv" in run("predict", "r[i]", "t.csv", "-o", "[i].csv")[1]


@pytest.mark.skipif(sys.platform == "win32", reason="pipes close otherwise there")
def test_a_pipe_that_closes_is_no_mistake(table, tmp_path):
    process = start(tmp_path, "columns", table)
    process.stdout.close()  # as `| head -0` does
    complained = process.stderr.read()
    process.wait(timeout=60)
    process.stderr.close()
    assert complained == b""


@pytest.mark.parametrize(
    ("model", "moment"),
    [("net", "torch.Tensor.backward"), ("forest", "pandas.DataFrame.to_csv")],
    ids=["while a net trains", "while the last file is written"],
)
def test_an_interrupt_is_one_line_and_leaves_no_file(run, table, tmp_path, monkeypatch, model, moment):
    monkeypatch.setattr(moment, lambda *_, **__: signal.raise_signal(signal.SIGINT))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        code, printed, complained = run("train", table, "--target", "SalePrice", "--model", model, "--out", "runs/r")
        *before_it, last = complained.splitlines()
        assert (code, last) == (130, "interrupted")
        assert all(line.startswith("warning: ") for line in before_it)
        assert "The run is in" not in printed
        assert not list(tmp_path.glob("runs/*"))
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_run_of_rate_predicts_no_table(run, table, tmp_path):
    from tabrec.datasets import make_ratings

    make_ratings(800, n_users=40, n_items=50, random_state=0).to_csv(tmp_path / "r.csv", index=False)
    assert run("rate", "r.csv", "--model", "dot", "--out", "ml")[0] == 0
    code, _, complained = run("predict", "ml", table)
    assert code == 2
    assert complained == "error: ml holds DotProductBias, which is not a model for tables: use `tabrec recommend`.\n"


def test_the_first_stage_is_shown_before_slow_packages_are_imported():
    code = "import sys, tabrec.cli; print(*{'sklearn', 'pandas', 'torch'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout == "\n"


@pytest.mark.skipif(sys.platform == "win32", reason="it has no pseudo-terminals")
def test_a_terminal_shows_the_stage_and_the_progress_of_the_model(table, tmp_path):
    import pty

    terminal, program = pty.openpty()
    command = [*PROGRAM, "train", str(table), "--target", "SalePrice", "--no-refit", "--out", str(tmp_path / "r")]
    environ = os.environ | {"TERM": "xterm", "COLUMNS": "100", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stdin=program, stdout=program, stderr=program, env=environ)
    os.close(program)
    shown = b""
    try:
        while part := os.read(terminal, 65536):
            shown += part
    except OSError:  # the end, on Linux
        pass
    os.close(terminal)
    assert process.wait(timeout=300) == 0
    text = shown.decode("utf-8")
    places = [text.index(stage) for stage in ("Starting", "Reading", "Training on 300 rows", "Growing trees")]
    assert places == sorted(places)
    assert "/100" in text[places[-1] :]
    assert "Training on" not in text[text.rindex("The run is in") :]
