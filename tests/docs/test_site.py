"""The built site: valid links, anchors and images, no requests to other hosts, and a search index."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

NOTEBOOKS = sorted(path.stem for path in (Path(__file__).parent.parent.parent / "notebooks").glob("*.ipynb"))
# Hosts that pages may link to.
HOSTS = {
    "archive.ics.uci.edu",
    "doi.org",
    "files.grouplens.org",
    "grouplens.org",
    "squidfunk.github.io",
    "www.kaggle.com",
}


class Page(HTMLParser):
    """Ids, links and fetched resources of a page."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.links, self.fetched = set(), [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.ids |= {values[key] for key in ("id", "name") if values.get(key)}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif tag == "link" and values.get("rel") in ("stylesheet", "icon", "preconnect", "preload"):
            self.fetched.append(values["href"])
        elif values.get("src"):
            self.fetched.append(values["src"])


@pytest.fixture(scope="module")
def pages(site):
    return {path: Page(path) for path in site.rglob("*.html") if path.name != "404.html"}


def is_foreign(link):
    return bool(urlsplit(link).scheme or urlsplit(link).netloc)


def leads_somewhere(link, path, pages):
    """Return whether an internal link has a target file that contains its anchor."""
    parts = urlsplit(link)
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.is_file():
        return False
    return not parts.fragment or target not in pages or unquote(parts.fragment) in pages[target].ids


def test_every_link_and_anchor_leads_somewhere(pages):
    links = {(path, link) for path, page in pages.items() for link in page.links if not is_foreign(link)}
    assert len(links) > 1_000
    assert [(path.name, link) for path, link in links if not leads_somewhere(link, path, pages)] == []


def test_every_picture_style_and_script_is_of_the_site(pages):
    for path, page in pages.items():
        for link in page.fetched:
            assert not is_foreign(link), link
            assert (path.parent / unquote(urlsplit(link).path)).is_file(), (path.name, link)


def test_links_out_go_to_known_hosts(pages):
    found = {link for page in pages.values() for link in page.links if is_foreign(link)}
    assert {urlsplit(link).scheme for link in found} <= {"https"}
    assert {urlsplit(link).netloc for link in found} <= HOSTS


def test_every_page_is_reached_from_home(site, pages):
    seen, ahead = set(), [site / "index.html"]
    while ahead:
        path = ahead.pop()
        if path in seen:
            continue
        seen.add(path)
        links = [urlsplit(link).path for link in pages[path].links if not is_foreign(link)]
        ahead += [target for link in links if link and (target := (path.parent / link).resolve()) in pages]
    assert seen == set(pages)


def test_pages_from_outside_docs_are_in_the_site(site):
    assert "412,698" in (site / "benchmarks.html").read_text(encoding="utf-8")
    assert (site / "benchmarks" / "results" / "neural-cpu.json").is_file()
    assert "0.1.0" in (site / "changelog.html").read_text(encoding="utf-8")


@pytest.mark.real_data("bulldozers/Train.csv", "house-prices/train.csv", "ml-100k/u.data")
@pytest.mark.parametrize("name", NOTEBOOKS)
@pytest.mark.usefixtures("notebook_packages")
def test_pages_of_notebooks_show_outputs(site, name):
    html = (site / "notebooks" / f"{name}.html").read_text(encoding="utf-8")
    pictures = re.findall(rf'<img alt="Plot: [^"]+" src="({name}/\d+\.png)"', html)
    assert len(pictures) >= 5
    assert all((site / "notebooks" / picture).stat().st_size > 1_000 for picture in pictures)
    assert 'class="text output' in html or 'class="output' in html


def test_every_plot_of_the_gallery_has_a_thumbnail_with_its_heading(site):
    html = (site / "gallery.html").read_text(encoding="utf-8")
    small = re.findall(r'<a href="#([\w-]+)"><img alt="[^"]+" loading="lazy" src="([^"]+)"', html)
    assert [path for _, path in small] == re.findall(r'<p><img alt="[^"]+" src="(images/gallery/[^"]+)"', html)
    assert len({anchor for anchor, _ in small}) == len(small) > 30


def test_names_of_the_api_are_free_of_markup(site):
    code = re.compile(r"<(pre|code)\b.*?</\1>", flags=re.DOTALL)
    for path in (site / "api").glob("*.html"):
        article = re.search(r"<article.*?</article>", path.read_text(encoding="utf-8"), flags=re.DOTALL)[0]
        text = re.sub(r"<[^>]+>", " ", code.sub("", article))
        assert re.findall(r"``\w*|:\w+:`|`\w+|\]\[|\*\*\w+|\.\. \w+::|~\w+\.|\[\d\]_", text) == [], path.name


@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("ForestRegressor", "api/trees.html"),
        ("domain_shift", "api/interpret.html"),
        ("unseen label", "guides/unseen-labels-and-gaps.html"),
        ("submission", "tutorial.html"),
        ("fit_one_cycle", "fastai.html"),
        ("licence", "dependencies.html"),
        ("conformal interval guarantees", "ideas/intervals.html"),
        ("new user", "guides/new-users.html"),
    ],
)
def test_the_search_index_has_the_words_of_a_page(site, words, page):
    entries = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))["docs"]
    texts = [entry["title"] + " " + entry["text"] for entry in entries if entry["location"].split("#")[0] == page]
    found = set(re.findall(r"\w+", " ".join(texts).lower()))
    assert set(words.lower().split()) <= found
