"""The command line. One file a group; each imports what it needs when it is used, so that help comes at once."""

from __future__ import annotations

import gc
import json
import os
import sys
import threading

import click

from pipulate._version import __version__
from pipulate.cli.db import db
from pipulate.cli.doctor import doctor
from pipulate.cli.jobs import jobs
from pipulate.cli.new import new
from pipulate.cli.plugins import plugins
from pipulate.cli.records import records
from pipulate.cli.runs import runs
from pipulate.cli.schedules import SCHEDULING
from pipulate.cli.serve import link, run
from pipulate.cli.shared import Commands, json_option

EPILOG = """\b
Exit codes:
  0    done
  1    not done; the reason is on standard error
  2    wrong use: an unknown command, option or value
  3    the data folder is in use by another process
  130  stopped with Ctrl C before it was done

Settings are environment variables too, PIPULATE_PORT for example; options win.
"""


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EPILOG)
@click.version_option(__version__, message="%(version)s", help="Print the version.")
def cli() -> None:
    """Step-by-step web apps that never lose anything.

    Begin with: pipulate run
    """


@click.command()
@json_option
def version(as_json: bool) -> None:
    """Print the version."""
    click.echo(json.dumps({"version": __version__}) if as_json else __version__)


for command in (run, link, new, plugins, runs, records, jobs, db, doctor, version):
    cli.add_command(command)
for command in SCHEDULING:
    jobs.add_command(command)


def main() -> None:
    """Run the command line, and end the process."""
    gc.set_threshold(20_000, 20, 50)  # What is imported stays: to look for garbage in it is an eighth of a start.
    try:
        cli(prog_name="pipulate")
    except SystemExit as end:
        if threading.active_count() == 1:
            raise
        # Code of a plugin still runs on a thread; it must not hold up the end.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code if isinstance(end.code, int) else 1)
