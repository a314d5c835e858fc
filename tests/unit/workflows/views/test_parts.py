"""What a step returned comes back of the same type, and nothing is ever pickled."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import polars as pl
import pytest
from bokeh.layouts import row
from bokeh.plotting import figure
from fasthtml.common import Div, NotStr, P, Script
from matplotlib.figure import Figure
from PIL import Image
from pydantic import BaseModel, ConfigDict

from pipulate import Code, Markdown, Mermaid, Picture, SandboxedHtml
from pipulate.fields.files import File, Files
from pipulate.ui import Html, div
from pipulate.workflows import values
from pipulate.workflows.definition import Step
from pipulate.workflows.views import figures, parts
from tests.unit.workflows.steps import found_in, step_of

matplotlib_lines = [1, 3, 2]


def declared(kind: Any) -> Step[..., Any]:
    """Return a step that declares to return this."""

    def function() -> None: ...

    function.__annotations__["return"] = kind
    return step_of(function)


def there(step: Step[..., Any], output: Any, files: Files) -> dict[str, Any]:
    """Return what is stored, as the store gives it back: through JSON."""
    value, _ = values.to_value(step, None, output, {}, files)
    return dict(json.loads(json.dumps(value, allow_nan=False)))


def again(output: Any, files: Files, kind: Any = Any) -> Any:
    """Return what `run[step]` gives for what a step returned."""
    step = declared(kind)
    value = there(step, output, files)
    return step.load(value["output"], files, value["view"])


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (3, 2), (1, 2, 3)).save(buffer, "PNG")
    return buffer.getvalue()


def plot() -> Figure:
    made = Figure()
    axes = made.subplots()
    axes.plot(matplotlib_lines)
    axes.set(title="Clicks", xlabel="day")
    return made


PLAIN = [
    "a", 1, -0.5, True, None, Decimal("1.50"), date(2026, 1, 2), datetime(2026, 1, 2, 3, 4, tzinfo=UTC), time(1, 2),
    float("inf"), [1, [2.5, None]], {"a": {"b": ["<b>"]}}, Markdown("**a**"), Html("<b>x</b>"), Code("x = 1", "python"),
    Mermaid("graph LR"), SandboxedHtml("<p>", 80), Picture(png(), "image/png", "a dot"), png(),
    [Markdown("a"), 1, {"x": Code("y", "sql")}], {"$view": "html", "output": "<script>"}, {"$view": [1]},
]  # fmt: skip


@pytest.mark.parametrize("output", PLAIN, ids=lambda each: repr(each)[:30])
@pytest.mark.parametrize("is_declared", [False, True])
def test_result_comes_back_of_the_same_type(output: Any, is_declared: bool, files: Files) -> None:
    kind = type(output) if is_declared and output is not None else Any
    back = again(output, files, kind)
    assert (type(back), back) == (type(output), output)


def test_not_a_number_comes_back(files: Files) -> None:
    assert repr(again(float("nan"), files, float)) == "nan"
    assert repr(again([1.5, float("nan"), {"a": float("-inf")}], files)) == "[1.5, nan, {'a': -inf}]"


@pytest.mark.parametrize("is_declared", [False, True])
def test_tables_come_back(is_declared: bool, files: Files) -> None:
    frame = pd.DataFrame({"a": [1, 2]}, index=["x", "y"])
    kinds: Any = (pd.DataFrame, pd.Series, pl.DataFrame, list[pd.DataFrame]) if is_declared else (Any,) * 4
    pd.testing.assert_frame_equal(again(frame, files, kinds[0]), frame)
    pd.testing.assert_series_equal(again(frame["a"], files, kinds[1]), frame["a"])
    assert again(pl.DataFrame({"a": [1]}), files, kinds[2]).equals(pl.DataFrame({"a": [1]}))
    pd.testing.assert_frame_equal(again([frame], files, kinds[3])[0], frame)


class Report(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    title: str
    table: pd.DataFrame


@dataclass
class Pair:
    title: str
    note: dict[str, Any]


def test_table_inside_a_declared_model_comes_back(files: Files) -> None:
    made = Report(title="t", table=pd.DataFrame({"a": [1.5]}))
    back = again(made, files, Report)
    assert isinstance(back, Report)
    pd.testing.assert_frame_equal(back.table, made.table)


@pytest.mark.parametrize("kind", [Any, Report])
def test_data_cannot_pose_as_a_part(kind: Any, files: Files) -> None:
    evil = {"$view": "html", "output": "<script>"}
    with pytest.raises(ValueError, match=r"'\$view' cannot be kept"):
        there(declared(Any), [evil, Markdown("x")], files)
    assert there(declared(Any), evil, files)["view"] == "tree"
    assert again(Pair("t", evil), files, Pair) == Pair("t", evil)


def test_figure_of_matplotlib_comes_back_as_a_picture_with_words(files: Files) -> None:
    for kind in (Any, Figure):
        back = again(plot(), files, kind)
        assert isinstance(back, Picture)
        assert (back.media_type, back.alt) == ("image/svg+xml", "Clicks, day")
        assert b"<svg" in back.content
    assert isinstance(again([plot()], files, list[Figure])[0], Picture)


def test_the_same_figure_is_the_same_file(files: Files) -> None:
    first, second = (there(declared(Any), plot(), files)["files"] for _ in range(2))
    assert first == second


def test_figure_with_many_points_is_kept_as_points_of_colour(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "SVG_MAX_BYTES", 1_000)
    assert again(plot(), files).content.startswith(b"\x89PNG")


def test_figure_of_pyplot_is_closed_and_axes_stand_for_their_figure(files: Files) -> None:
    plt.close("all")
    _, axes = plt.subplots()
    assert isinstance(again(axes, files), Picture)
    assert plt.get_fignums() == []


def test_figures_are_drawn_by_many_threads(files: Files) -> None:
    with ThreadPoolExecutor(8) as pool:
        pictures = list(pool.map(lambda _: again(plot(), files).content, range(16)))
    assert len(set(pictures)) == 1


@pytest.mark.parametrize("layout", [False, True])
def test_figure_of_bokeh_comes_back_with_its_parts(layout: bool, files: Files) -> None:
    made = figure(title="Clicks")
    made.scatter([1, 2], [3, 4])
    value = there(declared(Any), row(made) if layout else made, files)
    assert value["view"] == "bokeh"
    assert value["output"]["libraries"][0] == "bokeh"
    back = parts.unpacked("bokeh", value["output"], files)
    found = back.children[0] if layout else back
    assert type(back).__name__ == ("Row" if layout else "figure") or type(found).__name__ in ("Figure", "figure")
    assert (found.title.text, found.renderers[0].data_source.data["y"]) == ("Clicks", [3, 4])
    again_stored = there(declared(Any), back, files)
    assert again_stored["view"] == "bokeh"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_image_of_pillow_comes_back(mode: str, files: Files) -> None:
    image = Image.new(mode, (4, 3))
    back = again(image, files)
    assert (back.mode, back.size, back.tobytes()) == (image.mode, image.size, image.tobytes())


def test_image_that_png_cannot_hold_is_refused_with_a_way_out(files: Files) -> None:
    with pytest.raises(ValueError, match=r"mode 'CMYK' .*convert\('RGB'\)"):
        there(declared(Any), Image.new("CMYK", (1, 1)), files)


def test_picture_of_another_kind_is_refused(files: Files) -> None:
    with pytest.raises(ValueError, match="PNG, JPEG, GIF, WebP or SVG, not 'text/html'"):
        there(declared(Any), Picture(b"<script>", "text/html"), files)


def test_elements_come_back_as_markup_with_text_escaped(files: Files) -> None:
    assert again(div("<b>", class_="x"), files) == '<div class="x">&lt;b&gt;</div>'
    made = Div(P("<i>"), ["<u>", ValueError("<s>")], NotStr("<em>x</em>"), Script("alert(1)"), b"<q>", cls="y")
    back = again(made, files)
    assert type(back) is Html
    assert '<div class="y"><p>&lt;i&gt;</p>&lt;u&gt;&lt;s&gt;<em>x</em>' in back
    assert "script" not in back
    assert "&lt;q&gt;" in back


def test_path_and_file_become_files_of_the_run(files: Files, tmp_path: Path) -> None:
    made = tmp_path / "a report.csv"
    made.write_text("a,b")
    value = there(declared(Path), made, files)
    assert (value["view"], value["output"]["name"]) == ("path", "a report.csv")
    assert value["files"] == [value["output"]]
    back = again(made, files, Path)
    assert isinstance(back, Path)
    assert (back.read_text(), back != made) == ("a,b", True)
    saved = files.save("x.txt", "x")
    assert again(saved, files, File) == saved
    assert again([made, saved], files)[1] == saved


def test_path_without_a_file_is_refused(files: Files, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no file .*gone"):
        there(declared(Any), tmp_path / "gone", files)
    assert there(declared(Any), {"folder": tmp_path}, files)["output"] == {"folder": str(tmp_path)}


def test_every_file_of_a_result_is_named_in_its_value(files: Files) -> None:
    output = [pd.DataFrame({"a": [1]}), plot(), Image.new("L", (1, 1)), {"deep": figure()}]
    value = there(declared(Any), output, files)
    assert value["view"] == "parts"
    assert len(value["files"]) == 4
    assert {each["type"] for each in value["files"]} >= {"image/png", "image/svg+xml", "application/json"}


@pytest.mark.parametrize(
    "output", [object(), [object()], {"a": lambda: 1}, pl.DataFrame({"a": [1]}).lazy()], ids=range(4)
)
def test_what_has_no_form_is_refused(output: Any, files: Files) -> None:
    with pytest.raises(ValueError, match="serialize"):
        there(declared(Any), output, files)


def test_return_types_of_known_libraries_are_in_order_and_others_are_findings() -> None:
    for kind in (pd.DataFrame, pl.Series, Figure, pd.DataFrame | None, dict[str, list[pd.DataFrame]], Image.Image):
        assert declared(kind).returns is not None

    def strange() -> list[Parser]: ...  # type: ignore[empty-body]

    assert [each.code for each in found_in(strange)] == ["W010"]


class Parser:
    """A class that nothing is known about."""


def test_a_result_of_another_type_than_declared_is_refused(files: Files) -> None:
    with pytest.raises(ValueError, match="instance of DataFrame"):
        there(declared(pd.DataFrame), [1], files)


def test_nothing_heavy_is_imported_for_plain_results() -> None:
    code = (
        "import sys, pipulate.app\nfrom pipulate.workflows.views import parts, tables, exports\n"
        "parts.packed([1, {'a': 2}], None, None)\n"
        "heavy = {'pandas', 'polars', 'numpy', 'matplotlib', 'bokeh', 'PIL', 'xlsxwriter', 'pyarrow'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"
