"""Gallery of results: every kind of thing a step can return, with its code beside it."""

import csv
import math
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from pipulate import (
    Choices,
    Code,
    File,
    Files,
    Markdown,
    MarkdownEditor,
    Mermaid,
    Picture,
    Range,
    Run,
    SandboxedHtml,
    Search,
    TextArea,
    Workflow,
)
from pipulate.ui import Element, b, div, mark, p, progress

gallery = Workflow(
    "gallery_results",
    title="Gallery: results",
    description="Every kind of thing a step can return, with the code of each beside it.",
    order=91,
    show_code=True,
)


def entries(_run: Run) -> list[tuple[str, str]]:
    """Return what there is to see."""
    return [(step.name, step.title) for step in gallery.steps[1:]]


@gallery.step("entry", title="Where to begin", goto=lambda run: run["entry"].entry)
def entry(entry: Annotated[str, Choices(entries), Search()] = "plain") -> None:
    """Choose an entry, or begin with the first. One follows the other; edit this to go elsewhere.

    Args:
        entry: Type to search in the list.
    """


@gallery.step("plain", title="Plain values")
def plain(number: int = 1_234_567) -> list[Any]:
    """Return a text, a number, yes or no, a day, or a list of them."""
    return ["A text", number, number / 7, number % 2 == 0, date(2026, 11, 20)]


@dataclass
class Page:
    """Dataclasses and models of pydantic are shown like dicts."""

    address: str
    words: int
    links: list[str]


@gallery.step("tree", title="Tree")
def tree(words: int = 250) -> Page:
    """Return anything with parts. It can be copied as JSON."""
    return Page("https://example.org/", words, ["/about", "/news"])


@gallery.step("markdown", title="Markdown")
def markdown(
    text: Annotated[str, MarkdownEditor(rows=5)] = "## News\n\nIt is **safe**: scripts are left out.\n",
) -> Markdown:
    """Return text with Markdown in it."""
    return Markdown(text)


@gallery.step("rich", title="Rich output")
def rich(done: Annotated[int, Range(0, 100)] = 70) -> list[Any]:
    """Return several things at once, elements among them. What they hold is escaped."""
    bar = progress(value=done, max=100, aria_label=f"{done} percent")
    return [div(p("Done: ", b(f"{done} %"), " ", mark("on time")), bar), Markdown("**And** what follows."), [1, 2, 3]]


@gallery.step("code", title="Highlighted code")
def code(text: Annotated[str, TextArea(rows=4)] = "const double = (x) => 2 * x;\nconsole.log(double(21));") -> Code:
    """Return code, shown in the colours of its language."""
    return Code(text, "javascript")


@gallery.step("diagram", title="Mermaid diagram")
def diagram(
    text: Annotated[str, TextArea(rows=4)] = "graph LR\n  Ask --> Work\n  Work --> Show\n  Show --> Ask",
) -> Mermaid:
    """Return a diagram written as text."""
    return Mermaid(text)


@gallery.step("rows", title="Table of dicts")
def rows(count: Annotated[int, Range(1, 100)] = 3) -> list[dict[str, Any]]:
    """Return rows that are alike, and they are a table."""
    return [
        {"number": number, "square": number**2, "root": round(math.sqrt(number), 3)} for number in range(1, count + 1)
    ]


@gallery.step("data_frame", title="Table of pandas")
def data_frame(count: Annotated[int, Range(1, 100_000)] = 2_000) -> Any:
    """Return a DataFrame: it can be sorted, searched, paged and downloaded, however long it is."""
    import pandas as pd

    numbers = pd.Series(range(count))
    days = pd.date_range("2026-01-01", periods=count, freq="h")
    return pd.DataFrame({"page": "/page/" + numbers.astype(str), "clicks": numbers * 7919 % 1009, "seen": days})


@gallery.step("matplotlib", title="Figure of matplotlib")
def matplotlib(waves: Annotated[int, Range(1, 20)] = 3) -> Any:
    """Return a figure. It is drawn on the server, and closed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 2.5), layout="constrained")
    axes = figure.subplots()
    turns = [2 * math.pi * step / 400 for step in range(401)]
    axes.plot(turns, [math.sin(waves * turn) for turn in turns])
    axes.set_title(f"{waves} waves")
    return figure


@gallery.step("bokeh", title="Linked figures of Bokeh")
def bokeh(points: Annotated[int, Range(2, 2_000)] = 60) -> Any:
    """Return figures that share their data: select points in one, and they are selected in the other."""
    from bokeh.layouts import row
    from bokeh.models import ColumnDataSource
    from bokeh.plotting import figure

    turns = [2 * math.pi * step / points for step in range(points)]
    source = ColumnDataSource({"x": turns, "sine": list(map(math.sin, turns)), "cosine": list(map(math.cos, turns))})
    left = figure(height=260, title="Sine", tools="box_select,tap,reset", sizing_mode="stretch_width")
    left.scatter("x", "sine", source=source, size=8)
    right = figure(height=260, title="Cosine", tools="box_select,tap,reset", sizing_mode="stretch_width")
    right.scatter("x", "cosine", source=source, size=8)
    return row(left, right, sizing_mode="stretch_width")


svg, circle = Element("svg"), Element("circle")


@gallery.step("picture", title="Picture")
def picture(size: Annotated[int, Range(20, 200)] = 80) -> Picture:
    """Return a picture: PNG, JPEG, GIF, WebP or SVG."""
    drawn = circle(cx=100, cy=100, r=size / 2, fill="#2457c5")
    content = svg(drawn, xmlns="http://www.w3.org/2000/svg", width=200, height=200)
    return Picture(content.encode(), "image/svg+xml", alt="A blue circle")


@gallery.step("file", title="File to download")
def file(files: Files, lines: Annotated[int, Range(1, 1_000)] = 10) -> File:
    """Return a file that the step wrote."""
    with files.open("squares.csv", "w") as out:
        writer = csv.writer(out)
        writer.writerow(["number", "square"])
        writer.writerows([number, number**2] for number in range(lines))
    return files.get("squares.csv")


PAGE = """<style>button { font-size: 2rem }</style>
<button>0</button>
<script>
  const button = document.querySelector("button");
  button.onclick = () => { button.textContent = Number(button.textContent) + 1; };
</script>"""


@gallery.step("sandbox", title="HTML with scripts of its own")
def sandbox(markup: Annotated[str, TextArea(rows=7)] = PAGE) -> SandboxedHtml:
    """Return a page of its own. It is shown in a frame that reaches nothing else."""
    return SandboxedHtml(markup, height=90)
