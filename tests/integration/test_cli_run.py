"""`pipulate run` and `pipulate link`: starting, refusing to start, letting browsers in, ending."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import stat
import sys
import urllib.request
from collections.abc import Callable, Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from threading import Event

import pytest

from tests.support.cli import Shell
from tests.support.server import Server

TYPED = f"{sys.executable} -m pipulate"  # As the tests start it, so a message has to name it like this.
HANGS = "import pathlib, threading\npathlib.Path('begun').touch()\nthreading.Event().wait()\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("served")) as server:
        yield server


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Poll until a condition holds."""
    pause = Event()
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        pause.wait(0.02)
    pytest.fail(f"this did not come true within {seconds} s")


def opened(link: str) -> tuple[str, str]:
    """Open a link as a browser that has not been there before; return where it led, and the page."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    with browser.open(link, timeout=20) as answer:
        return answer.url, answer.read().decode()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_run_lets_a_browser_in_through_the_printed_link(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        address, page = opened(server.link)
        assert address == server.address + "/"
        assert "Hello" in page


def test_run_prints_only_the_link_when_a_script_asks_for_it(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "loud.py").write_text("print('Here I am')\n")
    with Server(tmp_path) as server:
        until(lambda: "Here I am" in server.log())
        server.stop()
        assert server.process.stdout is not None
        assert server.process.stdout.read() == ""


def test_run_says_where_it_runs_and_how_to_stop_it(tmp_path: Path) -> None:
    with Shell(tmp_path, PIPULATE_LOG_LEVEL="error").start("run", "--port", "0", "--no-browser") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        process.send_signal(signal.SIGINT)
        lines += process.stdout.readlines()
    assert re.fullmatch(r"Pipulate runs at http://127\.0\.0\.1:\d+ - stop it with Ctrl C\.\n", lines[0])
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/-/open\?token=\S+\n", lines[2])
    assert lines[3] == "Stopped. Everything that was acknowledged is stored.\n"
    assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_ends_with_0_and_leaves_no_trace_of_a_server(number: signal.Signals, tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        server.process.send_signal(number)
        assert server.process.wait(20) == 0
    assert "Stopped." in server.log()
    assert not (tmp_path / "data" / "server.json").exists()
    assert Shell(tmp_path)("db", "migrate").code == 0


def test_run_ends_when_told_to_while_a_plugin_hangs(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "hangs.py").write_text(HANGS)
    with Server(tmp_path) as server:
        until((tmp_path / "begun").exists)
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(20) == 0


def test_a_command_stopped_with_ctrl_c_ends_with_130_and_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "hangs.py").write_text(HANGS)
    with Shell(tmp_path).start("plugins") as process:
        until((tmp_path / "begun").exists)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (130, "pipulate: Stopped.\n")


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.2", "::", "example.org", ""])  # noqa: S104
def test_run_refuses_to_listen_where_others_reach_it(host: str, tmp_path: Path) -> None:
    shown = Shell(tmp_path).process("run", "--host", host, "--port", "0")
    assert shown.code == 1
    assert "there is no login yet" in shown.err
    assert not (tmp_path / "data").exists()


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_run_on_ipv6_lets_browsers_and_commands_in(tmp_path: Path) -> None:
    with Server(tmp_path, arguments=("--host", "::1")) as server:
        assert server.link.startswith("http://[::1]:")
        assert opened(server.link)[0] == server.address + "/"
        assert Shell(tmp_path)("link").out.startswith(server.address)


def test_run_says_so_when_another_program_has_the_port(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        shown = Shell(tmp_path).process("run", "--port", str(port))
    assert shown.code == 1
    assert f"Port {port} cannot be used (Address already in use)" in shown.err
    assert f"choose another port: {TYPED} run --port " in shown.err


def test_run_names_the_process_that_has_the_data_folder(server: Server) -> None:
    shown = Shell(server.folder).process("run", "--port", "0")
    assert shown.code == 3
    assert f"in use by process {server.process.pid}" in shown.err


def test_run_points_to_the_running_server_when_that_has_the_port_too(server: Server) -> None:
    shown = Shell(server.folder).process("run", "--port", str(server.port))
    assert shown.code == 3
    assert f"For a link to it: {TYPED} link" in shown.err


def test_run_takes_its_settings_from_the_environment_and_options_win(tmp_path: Path) -> None:
    port = free_port()
    shell = Shell(tmp_path, PIPULATE_PORT="1", PIPULATE_DATA="store", PIPULATE_PLUGINS="apps")
    with shell.start("run", "--port", str(port), "--no-browser", "--print-url") as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(f"http://127.0.0.1:{port}/")
        process.terminate()
    assert (tmp_path / "store" / "pipulate.sqlite3").exists()
    assert (tmp_path / "apps").is_dir()


@pytest.mark.parametrize("option", ["--data", "--plugins"])
def test_run_says_so_when_a_folder_is_a_file(option: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    shown = Shell(tmp_path).process("run", "--port", "0", option, "file")
    assert shown.code == 1
    assert re.fullmatch(r"pipulate: The (data|plugin) folder \S+ cannot be made: File exists.*\n", shown.err)


def test_run_leaves_a_file_that_is_no_database_alone(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "pipulate.sqlite3").write_text("shopping list\n" * 100)
    shown = Shell(tmp_path).process("run", "--port", "0")
    assert shown.code == 1
    assert "cannot be read as a database" in shown.err
    assert (tmp_path / "data" / "pipulate.sqlite3").read_text().startswith("shopping list")


def test_run_refuses_data_of_a_newer_version(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell("db", "migrate")
    with sqlite3.connect(tmp_path / "data" / "pipulate.sqlite3") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    for arguments in (("run", "--port", "0"), ("runs", "list"), ("db", "backup", "b.zip")):
        shown = shell.process(*arguments)
        assert shown.code == 1
        assert "written by a newer version" in shown.err


def test_run_opens_the_browser_without_the_token_in_its_arguments(tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/part && mv {tmp_path}/part {tmp_path}/asked\n')
    browser.chmod(0o755)
    shell = Shell(tmp_path, BROWSER=str(browser), DISPLAY=":0")
    with shell.start("run", "--port", "0") as process:
        until((tmp_path / "asked").exists)
        page = tmp_path / "data" / "state" / "open.html"
        assert (tmp_path / "asked").read_text() == f"{page.as_uri()}\n"
        assert stat.S_IMODE(page.stat().st_mode) == 0o600
        assert "/-/open?token=" in page.read_text()
        process.terminate()


def test_link_lets_one_more_browser_in_once(server: Server) -> None:
    link = Shell(server.folder)("link").out.strip()
    assert opened(link)[0] == server.address + "/"
    with pytest.raises(urllib.error.HTTPError, match="401"):
        opened(link)


def test_link_for_scripts_is_json(server: Server) -> None:
    assert Shell(server.folder)("link", "--json").json["url"].startswith(server.address + "/-/open?token=")


def test_link_finds_the_server_of_the_data_folder_that_is_named(server: Server, tmp_path: Path) -> None:
    data = str(server.folder / "data")
    assert Shell(tmp_path)("link", "--data", data).out.startswith(server.address)
    assert Shell(tmp_path)("link").code == 1


def test_link_asks_nobody_when_the_server_was_killed(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        server.kill()
    assert (tmp_path / "data" / "server.json").exists()
    assert "No server runs" in Shell(tmp_path)("link").err


def test_link_sends_the_secret_to_no_stranger_on_the_port_of_a_killed_server(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        server.kill()
    with Server(tmp_path) as second, socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        note = tmp_path / "data" / "server.json"
        note.write_text(json.dumps({"pid": os.getpid(), "port": stranger.getsockname()[1]}))
        assert "No server runs" in Shell(tmp_path)("link").err
        stranger.settimeout(0)
        with pytest.raises(BlockingIOError):
            stranger.accept()
        assert second.process.poll() is None
