"""Draw the pictures of the gallery with the calls written there: python docs/gallery.py

Pass names to draw only those pictures: python docs/gallery.py waterfall ale
"""

import re
import sys
import warnings
from pathlib import Path

from tabrec import compare_models, find_learning_rate, interpret
from tabrec.collab import crosstab, plot_crosstab
from tabrec.neural import plot_history

HERE = Path(__file__).parent
_SETUP = re.compile(r"```python\n(.*?)```", re.DOTALL)
_DRAWN = re.compile(r"```py\n(.*?)\n```\n\n!\[[^\]]+\]\(images/gallery/(\w+)\.png\)", re.DOTALL)


def read_gallery() -> tuple[str, dict[str, str]]:
    """Return the setup code of the gallery, and the call of each picture."""
    text = (HERE / "gallery.md").read_text(encoding="utf-8")
    return _SETUP.findall(text)[0], {name: call for call, name in _DRAWN.findall(text)}


def draw(only: list[str]) -> None:
    """Draw the pictures in `only`, or all."""
    setup, calls = read_gallery()
    names = {name: getattr(interpret, name) for name in interpret.__all__}
    names |= {f.__name__: f for f in (compare_models, find_learning_rate, plot_history, crosstab, plot_crosstab)}
    exec(compile(setup, "gallery.md", "exec"), names)
    for name in only or calls:
        axes = eval(calls[name], names)
        axes.figure.savefig(HERE / "images" / "gallery" / f"{name}.png", dpi=100)


if __name__ == "__main__":
    warnings.simplefilter("ignore", UserWarning)  # about characters and later rows
    (HERE / "images" / "gallery").mkdir(parents=True, exist_ok=True)
    draw(sys.argv[1:])
