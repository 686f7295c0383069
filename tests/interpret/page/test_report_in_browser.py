"""The report page in headless Chromium: no error, no request, no overflow, nothing cut off."""

import base64
import functools
import json

import numpy as np
import pytest

from tabrec import BayesianFactorization, ForestRegressor, TabularClassifier, split_by_time
from tabrec.datasets import make_auctions, make_ratings
from tabrec.interpret import report

pytestmark = pytest.mark.long

UGLY = {
    "Large": "<script>alert('x')</script>",
    "Medium": "$\\frac{1}{0}$ & $",
    "Small": "smile 😀 \n second line",
    "Mini": "</svg><img src=http://example.com/x.png onerror=alert(1)>",
}
WIDTHS = {"desktop": (1280, 900, False), "phone": (375, 800, True)}
CUT_OFF = """
return [...document.querySelectorAll('figure svg')].flatMap(svg => {
  const box = svg.getBoundingClientRect();
  return [...svg.querySelectorAll('text')].filter(text => {
    const own = text.getBoundingClientRect();
    return own.left < box.left - 3 || own.right > box.right + 3 || own.top < box.top - 3 || own.bottom > box.bottom + 3;
  }).map(text => text.textContent);
});
"""


@functools.cache
def make_forest_page():
    auctions = make_auctions(1_500, random_state=0)
    auctions = auctions[["SalePrice", "SalesID", "YearMade", "ProductSize", "state", "auctioneerID", "saledate"]]
    auctions["ProductSize"] = auctions["ProductSize"].astype(object).replace(UGLY)
    auctions = auctions.rename(columns={"state": "<b>state</b> & $x$ 😀"})
    price = np.log(auctions.pop("SalePrice")).rename("<i>log</i> price $")
    train, valid = split_by_time(auctions, "saledate", at="2010-01-01")
    forest = ForestRegressor(30, random_state=0).fit(auctions.iloc[train], price.iloc[train])
    return report(forest, auctions.iloc[train], price.iloc[train], auctions.iloc[valid], price.iloc[valid])


@functools.cache
def make_net_page():
    auctions = make_auctions(1_200, random_state=0)[["SalePrice", "YearMade", "ProductSize", "ProductGroup", "state"]]
    kind = np.array(["low 😀", "<b>mid</b>", "high $"])[np.digitize(auctions.pop("SalePrice"), [15_000, 40_000])]
    net = TabularClassifier(layers=[16], epochs=3, validation_fraction=0.2, random_state=0)
    net.fit(auctions[:900], kind[:900])
    return report(net, auctions[:900], kind[:900], auctions[900:], kind[900:], title="A net & <its> reasons")


@functools.cache
def make_recommender_page():
    ratings = make_ratings(6_000, n_users=150, n_items=80, random_state=0)
    ratings["item"] = [f"<b>{item}</b> $ 😀" for item in ratings["item"]]
    train, valid = ratings[::2], ratings[1::2]
    ids = ["user", "item"]
    model = BayesianFactorization(n_factors=4, n_sweeps=20, random_state=0).fit(train[ids], train["rating"])
    return report(model, train[ids], train["rating"], valid[ids], valid["rating"])


@pytest.fixture(scope="module", params=[make_forest_page, make_net_page, make_recommender_page])
def page(request, tmp_path_factory):
    return request.param().save(tmp_path_factory.mktemp("page") / "report.html")


@pytest.mark.parametrize("width", WIDTHS)
def test_page_is_sound_at_any_width(browser, page, width):
    pixels, height, is_phone = WIDTHS[width]
    metrics = {"width": pixels, "height": height, "deviceScaleFactor": 1, "mobile": is_phone}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    for log in ("browser", "performance"):
        browser.get_log(log)
    browser.get(page.as_uri())
    assert browser.execute_script("return document.querySelectorAll('figure svg').length") >= 3
    assert browser.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
    # The browser may still be loading the page of an empty tab.
    asked = {each["request"]["url"] for each in sent if each["documentURL"] == page.as_uri()}
    assert {url for url in asked if not url.startswith("data:")} == {page.as_uri()}
    assert browser.execute_script("return document.documentElement.scrollWidth") <= pixels
    assert browser.execute_script(CUT_OFF) == []


def test_page_runs_nothing_of_the_users(browser, page):
    browser.get(page.as_uri())
    assert (
        browser.execute_script(
            "return document.querySelectorAll('script, img, iframe, object, link:not([rel=icon])').length"
        )
        == 0
    )
    assert browser.execute_script("return document.querySelectorAll('main b, main i').length") == 0


PRINTED = """
const shown = element => element.getClientRects().length > 0;
const box = element => element.getBoundingClientRect();
return {
  navigation: shown(document.querySelector('nav')),
  sections: [...document.querySelectorAll('main details > div')].filter(each => box(each).height < 10).length,
  tables: [...document.querySelectorAll('.table')].filter(each => getComputedStyle(each).display != 'block').length,
  wide: [...document.querySelectorAll('figure svg')].filter(each => box(each).right > innerWidth + 1).length,
  paper: getComputedStyle(document.body).backgroundColor,
};
"""


def test_a_printed_page_is_light_and_unfolded_and_nothing_is_cut(browser, page):
    metrics = {"width": 700, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": dark})
    try:
        browser.get(page.as_uri())
        found = browser.execute_script(PRINTED)
        pdf = browser.execute_cdp_cmd("Page.printToPDF", {})["data"]
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    # Tables that are blocks go on over pages; as inline blocks they would lie on what follows.
    white = "rgb(255, 255, 255)"
    assert found == {"navigation": False, "sections": 0, "tables": 0, "wide": 0, "paper": white}
    assert base64.b64decode(pdf).startswith(b"%PDF")
