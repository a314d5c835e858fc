"""Papers, each with its scan: files in the fields of records."""

from typing import Annotated

from pydantic import BaseModel, Field

from pipulate import Accept, File, Resource


class Paper(BaseModel):
    title: str
    scan: Annotated[File | None, Accept(".txt", ".pdf", "image/*", max_mb=1)] = None
    more: Annotated[list[File], Accept(max_files=3)] = Field(default_factory=list)


papers = Resource("papers", Paper, title="Papers", columns=["title", "scan", "more"])
