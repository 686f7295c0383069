"""Every Python block of the documentation runs and prints the output shown below it, and every link has a target."""

import contextlib
import importlib.util
import io
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")]
)
# Pages each of whose blocks stands for itself; those of other pages run from top to bottom.
SEPARATE = {"README.md", "docs/nets.md", "docs/ratings.md", "docs/reasons.md"}
BLOCK = re.compile(r"^```python\n(.*?)^```(?:\n\n```text\n(.*?)^```)?", flags=re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r"-?\d[\d,]*\.?\d*(?:e[+-]\d+)?")
LINK = re.compile(r"(?<!`)\]\(([^)\s]+)\)")
HOSTS = {"archive.ics.uci.edu", "files.grouplens.org", "grouplens.org", "www.kaggle.com"}


def name_of(document):
    return document.relative_to(ROOT).as_posix()


def has_blocks(document):
    return BLOCK.search(document.read_text(encoding="utf-8")) is not None


def heading_anchors(document):
    """Return the anchors of the headings of a page, as MkDocs and code hosts create them."""
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings}


def assert_prints(printed, shown):
    """Assert equal words; numbers may differ by a tenth between versions of libraries."""
    assert NUMBER.sub("#", printed).split() == NUMBER.sub("#", shown).split()
    numbers = [[float(number.replace(",", "")) for number in NUMBER.findall(text)] for text in (printed, shown)]
    assert numbers[0] == pytest.approx(numbers[1], rel=0.1, abs=0.01)


@pytest.mark.long
@pytest.mark.parametrize("document", [document for document in DOCUMENTS if has_blocks(document)], ids=name_of)
def test_python_blocks_run_and_print_what_is_shown(document, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for code, shown in BLOCK.findall(document.read_text(encoding="utf-8")):
        names = {} if name_of(document) in SEPARATE else names
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, str(document), "exec"), names)
        if shown:
            assert_prints(printed.getvalue(), shown)


def test_shown_output_is_told_apart():
    assert_prints("error 0.301, rows 1,200", "error 0.300, rows 1,200")
    with pytest.raises(AssertionError):
        assert_prints("error 0.401", "error 0.300")
    with pytest.raises(AssertionError):
        assert_prints("net 0.300", "forest 0.300")


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(document):
    for link in LINK.findall(document.read_text(encoding="utf-8")):
        if link.startswith("http"):
            assert re.fullmatch(r"https://([\w.-]+)(/\S*)?", link)[1] in HOSTS, link
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        if anchor and not anchor.startswith("tabrec."):  # those of names are made when the site is built
            assert anchor in heading_anchors(target), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_no_block_is_left_out_for_its_fence(document):
    """```python blocks run; ```py marks calls of the gallery, of other libraries, or with network access."""
    fences = set(re.findall(r"^ *```(\w+)", document.read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert fences <= {"python", "py", "text", "console", "bash", "yaml"}
    if "py" in fences:
        assert name_of(document) in {
            "docs/data.md",
            "docs/fastai.md",
            "docs/gallery.md",
            "docs/guides/larger-than-memory.md",
        }


def test_each_path_of_a_row_has_at_most_eight_stops():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## The path of a row")[1].split("\n## ")[0]
    counts = [len(re.findall(r"^\d\. ", part, re.MULTILINE)) for part in text.split("\n\nFrom ")[1:]]
    assert len(counts) == 3
    assert 0 < min(counts) <= max(counts) <= 8


def test_every_dependency_is_in_the_table():
    spec = importlib.util.spec_from_file_location("dependencies", ROOT / "docs" / "dependencies.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    for name in {name for names in script.read_project().values() for name in names}:
        assert f"\n| {name} | {script.WHAT_FOR[name]} | " in page, name
