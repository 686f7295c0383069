"""The built site in headless Chromium: no errors, external requests or wide pages; search works."""

import json
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

WIDTHS = {"desktop": (1280, 900, False), "phone": (375, 800, True)}
PAGES = [
    "index.html",
    "tutorial.html",
    "notebooks/02_explaining_it.html",
    "guides/unseen-labels-and-gaps.html",
    "api/interpret.html",
    "gallery.html",
    "benchmarks.html",
    "fastai.html",
    "dependencies.html",
]
# Words or figures that reach out of the page and that nothing lets scroll.
CUT_OFF = """
const width = document.documentElement.clientWidth;
return [...document.querySelectorAll('.md-content :is(p, li, img, h1, h2, h3, dt, dd)')].filter(element => {
  const box = element.getBoundingClientRect();
  return box.width && box.right > width + 1 && !element.closest('table, pre');
}).map(element => element.textContent.slice(0, 60) || element.src);
"""
# The list is drawn anew after each letter, so its links are read in one step, not one by one.
FOUND = "return [...document.querySelectorAll('a.md-search-result__link')].map(link => link.href);"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def address(site):
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def open_page(browser, address, page, width):
    pixels, height, is_phone = WIDTHS[width]
    metrics = {"width": pixels, "height": height, "deviceScaleFactor": 1, "mobile": is_phone}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    for log in ("browser", "performance"):
        browser.get_log(log)
    browser.get(f"{address}/{page}")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("page", PAGES)
def test_page_is_sound_at_any_width(browser, address, page, width):
    open_page(browser, address, page, width)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= WIDTHS[width][0]
    assert browser.execute_script(CUT_OFF) == []
    assert browser.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
    # The browser may still be loading the page of an empty tab.
    asked = [each["request"]["url"] for each in sent if each["documentURL"].startswith(address)]
    assert asked
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("opened", ["from a server", "from a file"])
@pytest.mark.parametrize(
    ("words", "page"),
    [("unseen labels", "guides/unseen-labels-and-gaps.html"), ("waterfall", "api/interpret.html")],
)
def test_search_finds(browser, address, site, opened, words, page, width):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    open_page(browser, address if opened == "from a server" else site.as_uri(), "index.html", width)
    browser.execute_script("document.querySelector('#__search').click()")
    box = browser.find_element(By.CSS_SELECTOR, "input.md-search__input")
    WebDriverWait(browser, 20).until(lambda _: box.is_displayed() and box.is_enabled())
    box.send_keys(words)
    WebDriverWait(browser, 20).until(
        lambda _: any(f"/{page}" in link for link in browser.execute_script(FOUND)), f"{page} not among the results"
    )


OF_DATA = pytest.param("notebooks/02_explaining_it.html", marks=pytest.mark.real_data("bulldozers/Train.csv"))


@pytest.fixture
def prefers_dark(browser, address):
    # The site remembers the scheme of its first visit.
    browser.execute_cdp_cmd("Storage.clearDataForOrigin", {"origin": address, "storageTypes": "local_storage"})
    dark = {"name": "prefers-color-scheme", "value": "dark"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [dark]})
    yield
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.mark.usefixtures("prefers_dark")
@pytest.mark.parametrize("page", ["index.html", "gallery.html", OF_DATA])
def test_plots_swap_light_and_dark_on_a_dark_page(browser, address, page):
    from selenium.webdriver.support.ui import WebDriverWait

    open_page(browser, address, page, "desktop")
    drawn = """
    const body = getComputedStyle(document.body), picture = getComputedStyle(document.querySelector('.md-content img'));
    return [body.backgroundColor !== 'rgb(255, 255, 255)', picture.filter, picture.mixBlendMode];
    """
    dark = [True, "invert(1) hue-rotate(180deg)", "screen"]
    # The scheme is set by a script, which a busy machine may run after the page is loaded.
    WebDriverWait(browser, 20).until(lambda _: browser.execute_script(drawn) == dark, f"{page} stays light")
