"""`make bench`: measure, and print the table. It never fails for being slow; read it."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.e2e.conftest import FLAGS
from tests.support.services import chromium

from benchmarks import data, rows


def main() -> None:
    """Print the table; a word on the command line measures only the rows with it in their name."""
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    with tempfile.TemporaryDirectory(prefix="pipulate-bench-") as name:
        folder = Path(name)
        print(f"Data: {data.RUNS:,} runs, one with {data.EVENTS:,} events and {data.NOTES} notes, {rows.TABS} tabs.\n")
        data.make(folder)
        print(f"{'what':<34} {'measured':<34} {'budget':<20} {'':<5} how")
        for row in rows.everything(folder, chromium(), FLAGS, only):
            kept = "yes" if row.is_kept else "NO"
            print(f"{row.what:<34} {row.figure:<34} {row.budget:<20} {kept:<5} {row.how}", flush=True)


if __name__ == "__main__":
    main()
