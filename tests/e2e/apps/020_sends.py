"""Asks for files."""

from typing import Annotated

from pipulate import Accept, File, Range, Workflow

app = Workflow("sends", title="Sends")


@app.step("table", title="Your table")
def table(
    file: Annotated[File, Accept(".csv", ".bin", max_mb=150)], note: str = "", count: Annotated[int, Range(1, 5)] = 1
) -> File:
    return file


@app.step("more", title="More files")
def more(files: list[File]) -> list[str]:
    return [each.name for each in files]
