"""The tasks of all active customers in one table, and for each of them a project plan as a PDF."""

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

from pipulate import File, Files, Label, Progress, Range, Report, Slider, Switch, Tables
from pipulate.builtin.planning.plan import Plan, set_pages

if TYPE_CHECKING:
    import pandas as pd

NOBODY = "default"  # The profile that what was started without one belongs to; it is always there.
NAME_MAX = 30  # characters of a name beside the figure

report = Report(
    "customer_tasks",
    title="Customer tasks",
    description="Every active customer with their tasks: what is open, what is due, what is done.",
    columns={"customer": "Customer", "task": "Task", "priority": "Priority", "due": "Due", "state": "State"},
    empty="There are no active customers yet. Add one in [Profiles](/profiles).",
)


@report.table
def rows(
    tables: Tables,
    priority: Annotated[tuple[int, int], Range(1, 5), Slider()] = (1, 5),
    only_open: Annotated[bool, Switch(), Label("Open tasks only")] = False,
) -> "pd.DataFrame | list[dict[str, Any]]":
    """Return a row for each task of an active customer; customers without tasks have a row of their own."""
    people, tasks = active(tables), tables.all_profiles["tasks"]
    try:
        import pandas as pd  # noqa: PLC0415 - an extra; without it there is a plain table all the same
    except ImportError:
        return [row for row in joined(people, tasks) if _fits(row, priority, only_open=only_open)]
    left = pd.DataFrame([(each["ident"], each["name"]) for each in people], columns=["ident", "customer"], dtype=object)
    right = tasks.frame()[["profile", "title", "priority", "due", "done"]].rename(columns={"title": "task"})
    frame = left.merge(right, how="left", left_on="ident", right_on="profile")
    frame["state"] = frame["done"].map({True: "done", False: "open"}).astype(object).fillna("no tasks")
    frame["priority"] = pd.to_numeric(frame["priority"]).astype("Int64")
    frame["label"] = frame["customer"].map(shortened)
    if priority != (1, 5):
        frame = frame[frame["priority"].between(*priority).fillna(value=False)]
    if only_open:
        frame = frame[frame["state"] == "open"]
    frame = frame.sort_values(["priority", "due", "customer"], kind="stable", na_position="last")
    return frame.drop(columns=["ident", "profile", "done"]).reset_index(drop=True)


def active(tables: Tables) -> list[dict[str, Any]]:
    """Return the customers that are in use; the profile of what has none is one only where it has tasks."""
    found = tables["profiles"].where(active=True)
    return [each for each in found if each["ident"] != NOBODY or len(tables.of(NOBODY)["tasks"])]


def joined(customers: Any, tasks: Any) -> list[dict[str, Any]]:
    """Return what `rows` shows without filters, by Python alone."""
    found: list[dict[str, Any]] = []
    every = list(tasks)
    for customer in customers:
        own = [task for task in every if task["profile"] == customer["ident"]]
        for task in own or [{"title": None, "priority": None, "due": None, "done": None}]:
            state = "no tasks" if task["done"] is None else "done" if task["done"] else "open"
            found.append({
                "customer": customer["name"], "task": task["title"], "priority": task["priority"],
                "due": task["due"], "state": state,
            })  # fmt: skip
    return sorted(found, key=lambda row: (row["priority"] or 9, row["due"] or date.max, row["customer"]))


def _fits(row: dict[str, Any], priority: tuple[int, int], *, only_open: bool) -> bool:
    if only_open and row["state"] != "open":
        return False
    return priority == (1, 5) or (row["priority"] is not None and priority[0] <= row["priority"] <= priority[1])


def shortened(name: str) -> str:
    """Return a name that leaves room for a figure beside it."""
    return name if len(name) <= NAME_MAX else name[: NAME_MAX - 1] + "…"


@report.figure
def by_due_date(rows: Any, source: Any) -> Any:
    """Draw when what is due; tasks that are chosen here are chosen in the table too."""
    from bokeh.models import CDSView, FactorRange, GroupFilter, HoverTool  # noqa: PLC0415 - an extra
    from bokeh.plotting import figure  # noqa: PLC0415

    names = sorted(set(rows["label"]), reverse=True)
    has_dates = bool(rows["due"].notna().any())
    plot = figure(
        title="Due dates" if has_dates else "Due dates (no task here has one)", x_axis_type="datetime",
        y_range=FactorRange(*names),
        height=max(200, min(460, 120 + 26 * len(names))), sizing_mode="stretch_width", tools="tap,box_select,reset",
        active_drag="box_select", toolbar_location="above",
    )  # fmt: skip
    if not has_dates:
        return plot
    source.data["size"] = [18 - 2 * each for each in rows["priority"].fillna(5).astype(int)]
    tips = [("Task", "@task"), ("Due", "@due{%F}"), ("Priority", "@priority"), ("State", "@state")]
    for state, colour in (("open", "#2457c5"), ("done", "#8a93a3")):
        drawn = plot.scatter(
            "due", "label", source=source, view=CDSView(filter=GroupFilter(column_name="state", group=state)),
            size="size", color=colour, line_color="white", nonselection_alpha=0.2, legend_label=state,
        )  # fmt: skip
        plot.add_tools(HoverTool(renderers=[drawn], tooltips=tips, formatters={"@due": "datetime"}))
    plot.legend.orientation = "horizontal"
    plot.add_layout(plot.legend[0], "below")
    return plot


def customers(tables: Tables) -> list[tuple[int, str]]:
    """Return for whom a plan can be made."""
    return [(each["id"], each["name"]) for each in active(tables)]


@report.make("plan", title="Generate project plan", for_each=customers)
def plan(customer: int, tables: Tables, progress: Progress, files: Files) -> File:
    """Make the plan of a customer."""
    progress.total(3)
    progress.message("Reading the tasks")
    about = tables["profiles"].find(customer)
    if about is None:
        raise LookupError("The customer was removed meanwhile.")
    tasks = list(tables.of(about["ident"])["tasks"])
    progress.advance(text="Setting the pages")
    made = set_pages(Plan.of(about, tasks, date.today()))  # noqa: DTZ011 - the day on the wall where this runs
    for line in made.remarks:
        progress.log(line)
    progress.advance(text="Keeping the file")
    file = files.save(f"Project plan {about['name'].replace('/', '-')}.pdf", made.pdf, "application/pdf")
    progress.advance()
    return file
