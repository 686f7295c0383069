"""Help pages: an example on each, lines that fit the terminal, and no colour if it is turned off."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tabrec
from tabrec.cli._app import app

COMMANDS = [command.callback.__name__ for command in app.registered_commands]
MARK = "=== "
# Prints all the pages in one process, for a process takes longer than a page.
PAGES = f"""
import sys
from tabrec.cli import main
for name in {["", *COMMANDS]!r}:
    print({MARK!r} + name, flush=True)
    sys.argv = ["tabrec", *name.split(), "--help"]
    try:
        main()
    except SystemExit as stop:
        assert not stop.code
print("heavy:", [name for name in ("torch", "pandas", "sklearn", "matplotlib") if name in sys.modules])
"""


def environment(**changes):
    hiding = ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "GITHUB_ACTIONS", "PY_COLORS", "TERM", "PYTHONIOENCODING")
    kept = {name: value for name, value in os.environ.items() if name not in hiding}
    return kept | {"PYTHONIOENCODING": "utf-8"} | changes


def run_python(*arguments, **changes):
    done = subprocess.run([sys.executable, *arguments], capture_output=True, env=environment(**changes), check=True)
    return done.stdout.decode("utf-8")


def print_pages(columns, **changes):
    printed = run_python("-c", PAGES, COLUMNS=str(columns), **changes)
    pages = re.split(rf"^{MARK}(\w*)\n", printed, flags=re.MULTILINE)
    return dict(zip(pages[1::2], pages[2::2], strict=True))


@pytest.fixture(scope="module")
def pages():
    return print_pages(80)


def test_the_commands_are_those_that_were_promised(pages):
    promised = ["demo", "download", "columns", "train", "predict", "submit", "plan", "rate", "rank"]
    assert [*promised, "recommend", "similar", "explain", "card"] == COMMANDS
    at = [re.search(rf"^. {command} ", pages[""], flags=re.MULTILINE).start() for command in COMMANDS]
    assert at == sorted(at)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_a_page_has_an_example_and_fits_80_columns(pages, command):
    assert re.search(rf"^ Example: *\n +tabrec {command}", pages[command], flags=re.MULTILINE)
    assert max(map(len, pages[command].splitlines())) <= 80
    assert "\x1b" not in pages[command]
    assert "None]" not in pages[command]


def test_the_first_page_says_how_to_begin_and_where_the_guide_is(pages):
    assert "Start with tabrec demo" in pages[""]
    assert "docs/command-line.md" in pages[""]


def test_the_guide_names_every_command_and_no_option_that_is_not_there(pages):
    guide = (Path(__file__).parents[2] / "docs/command-line.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \| \w+s ", guide, flags=re.MULTILINE) == COMMANDS
    offered = set(re.findall(r"--[a-z-]+", " ".join(pages.values())))
    assert set(re.findall(r"--[a-z-]+", re.sub(r"\|-+", "", guide))) - {"--"} <= offered


def test_a_wide_terminal_is_not_filled():
    pages = print_pages(200)
    longest = max(len(line) for page in pages.values() for line in page.splitlines())
    assert 80 < longest <= 100


def test_help_loads_nothing_that_takes_time(pages):
    assert pages[COMMANDS[-1]].endswith("heavy: []\n")


def test_an_encoding_without_boxes_gets_plain_ones():
    page = run_python("-m", "tabrec", "train", "--help", COLUMNS="80", PYTHONIOENCODING="ascii")
    assert page.isascii()
    assert "+- Options ---" in page


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(("changes", "styled"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_gets_styles_unless_they_are_not_wanted(changes, styled):
    parent, child = pty.openpty()
    command = [sys.executable, "-m", "tabrec", "similar", "--help"]
    environ = environment(TERM="xterm-256color", COLUMNS="80", **changes)
    with subprocess.Popen(command, stdout=child, stderr=child, env=environ) as process:
        os.close(child)
        printed = b""
        while True:
            try:
                chunk = os.read(parent, 65536)
            except OSError:  # how Linux tells that the other side is closed
                break
            if not chunk:
                break
            printed += chunk
    os.close(parent)
    assert process.returncode == 0
    assert b"Example:" in printed
    assert (b"\x1b[" in printed) == styled


def test_without_arguments_the_first_page_is_shown(run):
    code, printed, complained = run()
    assert (code, complained) == (0, "")
    assert "Start with tabrec demo" in printed


@pytest.mark.parametrize("start", [["-m", "tabrec"], ["-c", "from tabrec.cli import main; main()"]])
def test_the_version_is_printed(start):
    assert run_python(*start, "--version").strip() == f"tabrec {tabrec.__version__}"


USAGE = {
    "no such command": (["tran"], "No such command 'tran'"),
    "no such option": (["train", "t.csv", "--targt", "y"], "--targt"),
    "missing option": (["train", "t.csv"], "Missing option '--target': column to predict. See tabrec train --help."),
    "missing argument": (["similar", "runs/ml"], "ITEM"),
    "not a number": (["demo", "--rows", "many"], "--rows"),
    "too few": (["demo", "--rows", "5"], "1000"),
}


@pytest.mark.parametrize("case", USAGE)
def test_a_wrong_command_line_is_one_line_that_names_the_help(run, case):
    arguments, message = USAGE[case]
    code, printed, complained = run(*arguments)
    assert (code, printed) == (2, "")
    assert complained.startswith("error: ")
    assert complained.count("\n") == 1
    assert message.lower() in complained.lower()
    assert "--help." in complained
