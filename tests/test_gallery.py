"""The gallery shows every image and names every result class of tabrec.interpret; so do the API pages."""

import importlib.util
import re
from pathlib import Path

import pytest

from tabrec import interpret
from tabrec.interpret._result import Result

DOCS = Path(__file__).parent.parent / "docs"
GALLERY = (DOCS / "gallery.md").read_text(encoding="utf-8")
PUBLIC = [getattr(interpret, name) for name in interpret.__all__]
RESULTS = [item.__name__ for item in PUBLIC if isinstance(item, type) and issubclass(item, Result)]


@pytest.fixture(scope="module")
def script():
    """Import docs/gallery.py as a module."""
    spec = importlib.util.spec_from_file_location("gallery", DOCS / "gallery.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_picture_stands_under_the_call_that_draws_it(script):
    pictures = re.findall(r"!\[[^\]]*\]\(images/gallery/(\w+)\.png\)", GALLERY)
    assert list(script.read_gallery()[1]) == pictures


def test_the_folder_holds_the_pictures_of_the_gallery_and_no_others(script):
    drawn = {path.stem for path in (DOCS / "images" / "gallery").glob("*")}
    assert drawn == set(script.read_gallery()[1])


def test_pictures_are_small():
    assert max(path.stat().st_size for path in (DOCS / "images" / "gallery").glob("*.png")) < 120_000


@pytest.mark.parametrize("name", RESULTS)
def test_every_result_is_in_the_gallery(name):
    assert f"`{name}`" in GALLERY


def test_pictures_are_drawn_anew_by_name(script, tmp_path, monkeypatch):
    (tmp_path / "gallery.md").write_text(
        "```python\nX = [0, 1]\n```\n\n```py\nwaterfall({'a': X[1]})\n```\n\n![One step](images/gallery/one.png)\n"
    )
    (tmp_path / "images" / "gallery").mkdir(parents=True)
    monkeypatch.setattr(script, "HERE", tmp_path)
    script.draw([])
    assert (tmp_path / "images" / "gallery" / "one.png").stat().st_size > 1_000
