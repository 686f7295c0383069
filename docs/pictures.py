"""Draw the pictures of the README and the documentation from simulated auctions: python docs/pictures.py"""

import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from tabrec import ForestRegressor, TabularRegressor, TimeSplit, find_learning_rate, split_by_time
from tabrec.datasets import make_auctions
from tabrec.interpret import report
from tabrec.neural import plot_history

HERE = Path(__file__).parent / "images"
INK, FOREST, MEAN = "#333333", "#1b7f5c", "#c0504d"


def draw_auctions(path: Path) -> None:
    """Draw the error by number of trees, and predictions of held-out prices."""
    auctions = make_auctions(20_000, random_state=0)
    price = np.log(auctions.pop("SalePrice"))
    train, valid = split_by_time(auctions, "saledate", at="2011-01-01")
    forest = ForestRegressor(n_estimators=60, random_state=0).fit(auctions.iloc[train], price.iloc[train])
    X, y = auctions.iloc[valid], price.iloc[valid].to_numpy()
    rmse = forest.staged_rmse(X, y)
    predicted, spread = forest.predict(X), forest.predict_spread(X)

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.9), layout="constrained")
    left.plot(np.arange(1, len(rmse) + 1), rmse, color=FOREST, lw=2)
    left.annotate(
        f"{rmse[-1]:.3f}", (len(rmse), rmse[-1]), (0, 8), textcoords="offset points", ha="right", color=FOREST
    )
    left.set(xlabel="trees", ylabel="RMSE of log price", title="Validation error on sales since 2011")

    dots = right.scatter(np.exp(y) / 1000, np.exp(predicted) / 1000, c=spread, s=8, cmap="viridis_r", lw=0, alpha=0.8)
    ends = [4, 150]
    right.plot(ends, ends, color=MEAN, lw=1)
    right.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    ticks = [5, 10, 20, 50, 100]
    right.set_xticks(ticks, ticks)
    right.set_yticks(ticks, ticks)
    right.minorticks_off()
    right.set(xlabel="price, thousand $", ylabel="predicted, thousand $", title="Predictions, by spread of the trees")
    figure.colorbar(dots, ax=right, label="spread of the trees (log price)")
    for ax in (left, right):
        ax.spines[["top", "right"]].set_visible(False)
        ax.title.set_color(INK)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_first_example(path: Path) -> None:
    """Draw the picture of the home page with the code beside it, whose last line returns axes."""
    code = (HERE.parent / "index.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    *lines, last = code.splitlines()
    names: dict[str, Any] = {}
    exec("\n".join(lines), names)
    eval(last, names).figure.savefig(path, dpi=110)


def draw_net(path: Path) -> None:
    """Draw a learning rate range test, the losses by epoch, and an embedding."""
    auctions = make_auctions(20_000, random_state=0)
    price = np.log(auctions.pop("SalePrice"))
    net = TabularRegressor(
        epochs=12, validation_fraction=TimeSplit(1, column="saledate", test_size=0.2), random_state=0
    ).fit(auctions, price)
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(14, 3.9), layout="constrained")
    find_learning_rate(net, auctions, price).plot(left)
    plot_history(net, middle)
    vectors = net.embeddings_["ProductSize"].drop("#na#")
    centred = (vectors - vectors.mean()).to_numpy()
    places = centred @ np.linalg.svd(centred)[2][:2].T
    mean_price = np.exp(price).groupby(auctions["ProductSize"].astype(object)).mean().reindex(vectors.index) / 1000
    dots = right.scatter(*places.T, c=mean_price, s=60, cmap="viridis_r")
    for label, place in zip(vectors.index, places, strict=True):
        right.annotate(label, place, (6, 4), textcoords="offset points", fontsize=8, color=INK)
    right.margins(0.2)
    right.set(xlabel="first component", ylabel="second component")
    figure.colorbar(dots, ax=right, label="mean price, thousand $")
    titles = ("Loss by learning rate", "Losses by epoch, latest fifth held out", "Embedding of ProductSize")
    for ax, title in zip((left, middle, right), titles, strict=True):
        ax.set_title(title, color=INK)
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_report(path: Path, browser: str) -> None:
    """Take a screenshot of two sections of a report, side by side."""
    auctions = make_auctions(4_000, random_state=0)
    price = np.log(auctions.pop("SalePrice"))
    train, valid = split_by_time(auctions, "saledate", at="2011-01-01")
    X, y = auctions.iloc[train], price.iloc[train]
    forest = ForestRegressor(n_estimators=40, oob_score=True, random_state=0).fit(X, y)
    html = report(forest, X, y, auctions.iloc[valid], price.iloc[valid], target="log price").html
    only_rows = "<style>header, footer, section:not(#rows) {display: none !important}</style></head>"
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=830,880"]
    halves = []
    with TemporaryDirectory() as folder:
        page, shot = Path(folder, "page.html"), Path(folder, "shot.png")
        for text in (html, html.replace("</head>", only_rows, 1)):
            page.write_text(text, encoding="utf-8")
            subprocess.run([browser, *options, f"--screenshot={shot}", page.as_uri()], check=True, capture_output=True)
            halves.append(Image.open(shot).convert("RGB").crop((0, 0, 830, 880)))
    both = Image.new("RGB", (1660, 880), "#cccccc")
    both.paste(halves[0], (0, 0))
    both.paste(halves[1].crop((1, 0, 830, 880)), (831, 0))
    both.quantize(128).save(path, optimize=True)


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    draw_auctions(HERE / "auctions.png")
    draw_first_example(HERE / "waterfall.png")
    draw_net(HERE / "net.png")
    if browser := shutil.which("chromium"):
        draw_report(HERE / "report.png", browser)
