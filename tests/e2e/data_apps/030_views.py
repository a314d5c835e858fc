"""A result of each kind."""

import io
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
from bokeh.layouts import row
from bokeh.models import ColumnDataSource
from bokeh.plotting import figure
from fasthtml.common import Div, P, Strong
from matplotlib.figure import Figure
from PIL import Image

from pipulate import Code, File, Markdown, Mermaid, Run, SandboxedHtml, Workflow
from pipulate.ui import Html, div, strong

views = Workflow("views", title="All views")
ROWS = 100_000


@dataclass
class Point:
    """A place."""

    x: int
    label: str


@views.step("first", title="Numbers")
def first() -> list[object]:
    return [Decimal("12345.60"), date(2026, 11, 20), float("nan"), Markdown("**bold**")]


@views.step("table", title="Table")
def table(run: Run) -> pd.DataFrame:
    numbers = np.arange(ROWS)
    return pd.DataFrame(
        {
            "page": [f"/page/{each}" for each in numbers],
            "clicks": (numbers * 7919) % 10_007,
            "share": np.where(numbers % 10 == 0, np.nan, numbers / ROWS),
            "seen": pd.date_range("2020-01-01", periods=ROWS, freq="h"),
            "note": np.where(numbers == 4711, "=needle(1)", "hay"),
            **{f"wide_{each}": numbers for each in range(8)},
        }
    )


@views.step("polars", title="Small table")
def small(run: Run) -> pl.DataFrame:
    return pl.DataFrame({"name": ["b", "a", None], "when": [date(2026, 1, 2), None, date(2025, 1, 1)]})


@views.step("bokeh", title="Linked figures")
def linked() -> object:
    source = ColumnDataSource({"x": [1, 2, 3, 4], "y": [4, 1, 3, 2], "z": [1, 2, 2, 4]})
    tools = "tap,box_select,reset,save"
    left = figure(width=300, height=240, tools=tools, title="Left")
    left.scatter("x", "y", size=24, source=source)
    right = figure(width=300, height=240, tools=tools, title="Right")
    right.scatter("x", "z", size=24, source=source)
    return row(left, right)


@views.step("plot", title="Matplotlib")
def plot() -> Figure:
    made = Figure(figsize=(4, 2.5))
    axes = made.subplots()
    axes.plot([1, 2, 3], [2, 5, 3])
    axes.set_title("Clicks <b>")
    return made


@views.step("picture", title="Picture and bytes")
def picture() -> list[object]:
    image = Image.new("RGB", (60, 30), (36, 87, 197))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return [image, buffer.getvalue()]


@views.step("diagram", title="Diagram")
def diagram() -> Mermaid:
    return Mermaid('graph LR; A["Start <script>alert(1)</script>"] --> B{Choice}; B --> C[End]')


@views.step("code", title="Code")
def code() -> Code:
    return Code("def greet(name: str) -> str:\n    return f'Hello, {name}!  <script>'\n", "python")


@views.step("sandbox", title="Sandbox")
def sandbox() -> SandboxedHtml:
    script = "document.getElementById('out').textContent = 'alone'"
    return SandboxedHtml(f"<style>p {{ color: green }}</style><p id=out></p><script>{script}</script>", height=80)


@views.step("markup", title="Markup")
def markup() -> dict[str, object]:
    return {
        "ours": div(strong("a < b"), class_="note"),
        "theirs": Div(P("x", Strong("<i>")), hx_post="/-/look", onclick="alert(1)"),
        "raw": Html("<p onclick='alert(1)'>text<script>document.title = 'hit'</script></p>"),
    }


@views.step("file", title="File")
def file(run: Run) -> File:
    assert run.files is not None
    return run.files.save("notes.txt", "a few words")


@views.step("tree", title="Tree")
def tree(run: Run) -> Point:
    frame = run["table"]
    return Point(int(frame["clicks"].sum()), "of " + type(frame).__name__)


@views.step("last", title="Last")
def last(word: str) -> str:
    return word
