"""Every notebook equals its text, has no outputs, runs on real data, and plots in every section."""

import base64
import importlib
import importlib.util
import os
import re
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = ROOT / "notebooks"
NAMES = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
BULLDOZERS = ["bulldozers/Train.csv", "bulldozers/Valid.csv"]
MOVIELENS = ["ml-100k/u.data", "ml-100k/u1.base"]
DATA = {
    "05_movielens": MOVIELENS,
    "06_house_prices_for_kaggle": ["house-prices/train.csv", "house-prices/test.csv"],
    "07_coming_from_fastai": BULLDOZERS + MOVIELENS,
    "08_from_clicks_to_recommendations": MOVIELENS,
}
SYNC = "jupytext --sync notebooks/*.ipynb"


def need(name):
    """Import a package of the extra `notebooks`, or skip the test.

    If TABREC_REQUIRE_NOTEBOOKS is set, as in .ci/run, the test fails instead.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        if os.environ.get("TABREC_REQUIRE_NOTEBOOKS"):
            pytest.fail(f"{name}: {error}")
        pytest.skip(f"{name} is not installed")


def read(name):
    return need("nbformat").read(NOTEBOOKS / f"{name}.ipynb", as_version=4)


def read_sections(notebook):
    """Return the code cells of each section by heading."""
    sections, cells = {}, None
    for cell in notebook.cells:
        if cell.cell_type == "code":
            if cells is not None:
                cells.append(cell)
        elif heading := re.match(r"## (.+)", cell.source):
            cells = sections.setdefault(heading[1], [])
    return sections


@pytest.fixture(scope="session")
def pages():
    """The module of the site that executes the notebooks, for these tests and for the pages."""
    need("nbclient")
    spec = importlib.util.spec_from_file_location("notebook_pages", ROOT / "docs" / "extras" / "notebook_pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read_pictures(cells):
    outputs = [output.get("data", {}) for cell in cells for output in cell.outputs]
    pngs = [base64.b64decode(data["image/png"]) for data in outputs if "image/png" in data]
    return [need("matplotlib.image").imread(BytesIO(png), format="png") for png in pngs]


def ink(picture):
    """Return the share of an image that is not background."""
    return float((np.abs(picture[..., :3] - picture[0, 0, :3]).max(axis=-1) > 0.1).mean())


def test_there_are_eight_notebooks_each_with_its_text():
    assert [name[:2] for name in NAMES] == [f"{number:02}" for number in range(1, 9)]
    assert sorted(path.stem for path in NOTEBOOKS.glob("*.md")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_notebook_is_in_step_with_its_text(name):
    jupytext = need("jupytext")
    notebook, text = read(name), jupytext.read(NOTEBOOKS / f"{name}.md")
    cells, texts = ([(cell.cell_type, cell.source) for cell in book.cells] for book in (notebook, text))
    assert cells == texts, f"run: {SYNC}"


@pytest.mark.parametrize("name", NAMES)
def test_notebook_holds_no_outputs_and_little_metadata(name):
    notebook = read(name)
    for cell in notebook.cells:
        assert not cell.get("outputs"), f"clear the outputs: jupytext --to ipynb --update notebooks/{name}.md"
        assert cell.get("execution_count") is None
        assert not cell.metadata
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"


@pytest.mark.parametrize("name", NAMES)
def test_notebook_begins_with_what_it_shows_and_how_to_get_the_data(name):
    first = read(name).cells[0].source
    assert first.startswith("# ")
    assert "**The data**" in first
    assert "`tabrec download " in first
    assert "`TABREC_DATA_DIR`" in first


@pytest.mark.parametrize("name", NAMES)
def test_data_that_a_notebook_asks_for_can_be_downloaded(name):
    from tabrec.datasets import DATASETS

    assert set(re.findall(r"`tabrec download ([\w-]+)`", read(name).cells[0].source)) <= set(DATASETS)


@pytest.mark.parametrize("name", NAMES)
def test_every_section_draws(name):
    sections = read_sections(read(name))
    assert len(sections) >= 5
    for heading, cells in sections.items():
        assert re.search(r"plot|draw_tree\(|waterfall\(", "\n".join(c.source for c in cells)), heading


@pytest.mark.parametrize("name", NAMES)
def test_links_between_notebooks_and_to_the_documentation_are_whole(name):
    for cell in read(name).cells:
        if cell.cell_type == "markdown":
            for target in re.findall(r"\]\(([^)#]+)[^)]*\)", cell.source):
                assert target.startswith("https://") or (NOTEBOOKS / target).is_file(), target


@pytest.mark.long
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.real_data(*DATA.get(name, BULLDOZERS))) for name in NAMES]
)
def test_notebook_runs_and_shows_a_picture_in_every_section(name, pages, shared_folder):
    if "fastai" in name:
        need("fastai")
    work = pages.execute(NOTEBOOKS / f"{name}.ipynb", shared_folder / "notebooks")
    notebook = need("nbformat").read(work / f"{name}.ipynb", as_version=4)
    for heading, cells in read_sections(notebook).items():
        pictures = read_pictures(cells)
        assert pictures, f"no picture in section {heading!r}"
        for picture in pictures:
            assert min(picture.shape[:2]) >= 150, heading
            assert 0.005 < ink(picture) < 0.9, heading
    if name == "06_house_prices_for_kaggle":
        assert len((work / "submission.csv").read_text().splitlines()) == 1_460


@pytest.mark.long
def test_without_data_a_notebook_says_how_to_get_them(pages, tmp_path):
    notebook = read("01_bulldozers_with_a_forest")
    nowhere = {"TABREC_DATA_DIR": "", "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    with pytest.raises(need("nbclient.exceptions").CellExecutionError) as stopped:
        pages.run(notebook, tmp_path, nowhere)
    assert stopped.value.ename == "FileNotFoundError"
    assert "tabrec download bulldozers" in stopped.value.evalue
    assert "TABREC_DATA_DIR" in stopped.value.evalue


def cells(*outputs):
    """Return a notebook with a heading and a code cell with these outputs."""
    v4 = need("nbformat.v4")
    made = [v4.new_output(kind, **content) for kind, content in outputs]
    return v4.new_notebook(cells=[v4.new_markdown_cell("## The price"), v4.new_code_cell("look()", outputs=made)])


def test_a_page_shows_what_a_cell_prints_and_draws(pages):
    picture = base64.b64encode(b"png").decode()
    notebook = cells(
        ("stream", {"text": "3 rows\n"}),
        (
            "execute_result",
            {
                "data": {
                    "text/plain": "a  b",
                    "text/html": '<div><style scoped>x</style><table border="1" class="dataframe"></table></div>',
                }
            },
        ),
        ("display_data", {"data": {"text/plain": "<Figure>", "image/png": picture}}),
    )
    text, pictures = pages.to_page(notebook, "01_forest")
    assert text.split("\n\n") == [
        "## The price",
        "```python\nlook()\n```",
        "``` {.text .output}\n3 rows\n```",
        '<div class="output">\n<div><table></table></div>\n</div>',
        "![Plot: The price](01_forest/1.png)\n",
    ]
    assert pictures == {"01_forest/1.png": b"png"}


def test_a_notebook_is_executed_once(pages, tmp_path, monkeypatch):
    nbformat, runs = need("nbformat"), []
    monkeypatch.setattr(pages, "run", lambda notebook, folder: runs.append(folder))
    path = tmp_path / "01_forest.ipynb"
    nbformat.write(cells(), path)
    folder = pages.execute(path, tmp_path / "executed")
    assert pages.execute(path, tmp_path / "executed") == folder
    assert runs == [folder]
    nbformat.write(cells(("stream", {"text": "changed"})), path)
    assert pages.execute(path, tmp_path / "executed") != folder
    assert len(runs) == 2
