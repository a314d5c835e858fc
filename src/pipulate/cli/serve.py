"""`pipulate run` and `pipulate link`."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import webbrowser
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from pipulate._program import program
from pipulate.cli.shared import (
    Failed,
    InUse,
    ask_server,
    data_option,
    json_option,
    layout_of,
    plugins_option,
    port_option,
    settings_from,
    show_json,
)

if TYPE_CHECKING:
    from pipulate.app import Application
    from pipulate.settings import Settings


@click.command()
@click.option("--host", help="Address to listen on, of this machine alone: 127.0.0.1 (the default) or ::1.")
@port_option("Port to listen on; 0 picks a free one (default: 5001).")
@data_option
@plugins_option
@click.option("--no-browser", is_flag=True, help="Do not open a browser; print the one-time link.")
@click.option("--print-url", is_flag=True, help="Write only the one-time link to standard output, for scripts.")
@click.option("--no-reload", is_flag=True, help="Do not take up changes of plugin files while running.")
def run(
    host: str | None,
    port: int | None,
    data: Path | None,
    plugins: Path | None,
    no_browser: bool,
    print_url: bool,
    no_reload: bool,
) -> None:
    """Start the server on this machine, and open it in the browser.

    Everything is stored in the data folder. Stop with Ctrl C; nothing that was acknowledged is lost, however it stops.
    """
    settings = settings_from(host=host, port=port, data=data, plugins=plugins, reload=False if no_reload else None)
    address = _own_address(settings.host)
    from pipulate import _log  # noqa: PLC0415 - help needs none of this
    from pipulate.app import build  # noqa: PLC0415
    from pipulate.web.server import Server, config  # noqa: PLC0415

    _log.configure(settings.log_level, stream=sys.stderr if print_url else sys.stdout)
    _make_plugin_folder(settings.plugins)
    out = sys.stdout
    with contextlib.closing(_listen(address, settings)) as listener, _kept_clean(print_url):
        port = listener.getsockname()[1]
        application = build(settings)
        application.answers_at(port)
        server = Server(config(application.asgi, host=address, port=port))
        announcing = (application, address, port, out if print_url else None, no_browser)
        threading.Thread(target=_announce, args=announcing, name="announce", daemon=True).start()
        server.run(sockets=[listener])
    if not server.started:
        raise Failed("The server did not start; the lines above say why.")
    click.echo("Stopped. Everything that was acknowledged is stored.", err=print_url)


@click.command()
@data_option
@json_option
def link(data: Path | None, as_json: bool) -> None:
    """Print a new one-time link to the running server.

    It lets one more browser in, once, within an hour.
    """
    settings = settings_from(data=data)
    answer = ask_server(settings, "link", {})
    if answer is None:
        raise Failed(f"No server runs on {layout_of(settings).root}. Start it with: {program()} run")
    show_json(answer) if as_json else click.echo(answer["url"])


def _kept_clean(print_url: bool) -> contextlib.AbstractContextManager[object]:
    """Let what apps print go where the log goes while a script reads standard output."""
    return contextlib.redirect_stdout(sys.stderr) if print_url else contextlib.nullcontext()


def _announce(application: Application, address: str, port: int, script: IO[str] | None, no_browser: bool) -> None:
    """Say where the server is as soon as it answers, and open it; `script` reads the link and nothing else."""
    if not _answers(address, port):
        return
    place = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    link = application.new_link(port).replace(f"127.0.0.1:{port}", place, 1)
    if script is not None:
        click.echo(link, file=script)
        script.flush()
        return
    click.echo(f"Pipulate runs at http://{place} - stop it with Ctrl C.")
    if no_browser or not _open_browser(application, link):
        click.echo(f"Open this link once; the browser is then remembered for a year:\n{link}")
    sys.stdout.flush()


def _answers(address: str, port: int) -> bool:
    """Wait for the server's first answer; tell whether it came."""
    try:
        with socket.create_connection((address, port), timeout=60) as connection:
            connection.sendall(
                b"GET /-/static/ready HTTP/1.1\r\nhost: 127.0.0.1:%d\r\nconnection: close\r\n\r\n" % port
            )
            return bool(connection.recv(1))
    except OSError:  # It was stopped before it began; whoever stopped it says so.
        return False


def _open_browser(application: Application, address: str) -> bool:
    """Open a browser on a file that sends it on, so that the token stands in no list of processes."""
    has_screen = sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if not has_screen:
        return False
    from pipulate.security.capability import write_private  # noqa: PLC0415
    from pipulate.ui.html import meta  # noqa: PLC0415

    page = application.layout.state / "open.html"
    write_private(page, "<!doctype html>" + meta(http_equiv="refresh", content=f"0;url={address}"))
    try:
        opened = webbrowser.open(page.as_uri())
    except webbrowser.Error:
        opened = False
    timer = threading.Timer(30, page.unlink, kwargs={"missing_ok": True})
    timer.daemon = True
    timer.start()
    return opened


def _own_address(host: str) -> str:
    """Return the address to listen on. Without a login, only this machine may reach the server."""
    address = {"localhost": "127.0.0.1"}.get(host, host.strip("[]"))
    if address in ("127.0.0.1", "::1"):
        return address
    raise Failed(
        f"Pipulate does not listen on {host!r}, only on 127.0.0.1 or ::1: there is no login yet, so anybody who reaches"
        " the server could use it. Leave out --host, or reach it through a tunnel: ssh -L 5001:127.0.0.1:5001"
        " this-machine"
    )


def _listen(address: str, settings: Settings) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, settings.port))
        listener.listen(512)  # From here on whoever connects waits, rather than being sent away.
    except OSError as error:
        listener.close()
        _refuse_second(settings)
        raise Failed(
            f"Port {settings.port} cannot be used ({error.strerror}). Another program may have it; choose another"
            f" port: {program()} run --port {settings.port + 1 if 1023 < settings.port < 65535 else 5002}"
        ) from error
    return listener


def _refuse_second(settings: Settings) -> None:
    """Say so where the program that has the port is our own server."""
    from pipulate.storage.folder import is_held  # noqa: PLC0415

    layout = layout_of(settings)
    if is_held(layout):
        raise InUse(f"Pipulate runs on {layout.root} already. For a link to it: {program()} link")


def _make_plugin_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failed(
            f"The plugin folder {folder} cannot be made: {error.strerror}. Choose another: --plugins"
        ) from error
