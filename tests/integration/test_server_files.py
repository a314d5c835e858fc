"""The real server, asked for files that are not its own: no spelling of an address leads out of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipulate.web.assets import FOLDER
from tests.support.raw import exchange, request
from tests.support.server import Server

CANARY = "canary-8c1f6e"
PLACES = (
    ".env", ".git/config", "secret.db", "notes.yml", "table.csv", "work-old/canary.txt", "work/canary.txt",
    "work/data/canary.txt", "work/data/files/canary.txt", "work/plugins/canary.txt", "work/plugins/canary.csv",
)  # fmt: skip
TARGETS = (
    "canary.txt", "data/canary.txt", "data/capability.json", "data/pipulate.sqlite3", "data/server.json",
    "data/server.lock", "data/files/canary.txt", "plugins/canary.txt", "plugins/canary.csv", "plugins/010_own.py",
    ".env", ".git/config", "secret.db", "notes.yml", "table.csv", "work-old/canary.txt", "server.log",
)  # fmt: skip
STEPS = (
    "", "./", "../", "../../", "../../../../../../", "%2e%2e/", "%2e%2e/%2e%2e/", "..%2f", "..%2f..%2f", "%252e%252e/",
    "%252e%252e%252f", "..\\", "..%5c", "..%5c..%5c", "....//", "..;/", "%c0%ae%c0%ae/", "..%c0%af", "%00/", "../%00",
)  # fmt: skip
BEGINNINGS = ("/", "//", "/-/static/", "/-/static//", "/hello/", "/-/", "/static/", "/-/runs/", "/-/open/", "file:///")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("home")
    for place in PLACES:
        (home / place).parent.mkdir(parents=True, exist_ok=True)
        (home / place).write_text(CANARY)
    (home / "work/plugins/010_own.py").write_text(f"# {CANARY}")
    with Server(home / "work") as running:
        yield running
        assert running.stop() == 0


def ask(server: Server, paths: list[str]) -> None:
    """Ask for every path over one connection after the other; nothing but 404 and 400 may come, and no secret."""
    secret = server.cookie().partition("=")[2].encode()
    for path in paths:
        (reply,) = exchange(server.port, request("GET", path, server.port, cookie=server.cookie()))
        assert reply.status in (400, 404), (path, reply.status)
        assert CANARY.encode() not in reply.body, path
        assert secret not in reply.body, path
        assert b"SQLite format" not in reply.body, path


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_no_spelling_of_an_address_leads_to_a_file(beginning: str, server: Server) -> None:
    paths = [f"{beginning}{steps}{target}" for steps in STEPS for target in TARGETS]
    ask(server, paths)


def test_no_absolute_path_leads_to_a_file(server: Server) -> None:
    home = server.folder
    full = [str(home / target) for target in TARGETS] + [str(home.parent / ".env"), "/etc/passwd"]
    paths = [f"{beginning}{path}{ending}" for path in full for beginning in ("", "/", "/-/static/", "/-/static")
             for ending in ("", "%00.txt", "%00.js", "?x.js", ";.js", "/.")]  # fmt: skip
    ask(server, paths)


@pytest.mark.parametrize(
    "name",
    ["C:\\windows\\win.ini", "/windows/win.ini", "\\\\evil\\share\\x", "//evil/share/x", "CON", "NUL.txt", "aux",
     "x%00.txt", "%00", "%0a", "%0d%0aX-Evil:%201", "%ff%fe", "%", "%zz", "%u002e%u002e/", "\u202e.txt", "~root", "-rf",
     "$(id)", ";id", "a" * 3_000],
)  # fmt: skip
def test_odd_names_are_not_found_and_harm_nothing(name: str, server: Server) -> None:
    spelled = name.encode("utf-8").decode("latin-1")
    paths = [f"{beginning}{spelled}" for beginning in BEGINNINGS]
    ask(server, paths)
    assert server.get("/")[0] == 200


@pytest.mark.parametrize("parameter", ["?older=", "?find=", "?deleted=", "?version=", "?before=", "?token="])
def test_no_parameter_leads_to_a_file(parameter: str, server: Server) -> None:
    for page in ("/hello", "/-/bin", "/-/search", "/-/open", "/"):
        for value in ("../canary.txt", "/etc/passwd", "..%2f..%2f.env", "file:///etc/passwd", "%00", "..%5c.env"):
            status, text = server.get(f"{page}{parameter}{value}")
            assert status in (200, 400, 404), (page, parameter, value)
            assert CANARY not in text
            assert "root:" not in text


def test_link_in_the_files_folder_leads_nowhere(server: Server) -> None:
    (server.folder / "data/files/link.js").symlink_to(server.folder / "canary.txt")
    (server.folder / "plugins/link.py").symlink_to(server.folder.parent / ".env")
    ask(server, ["/link.js", "/-/static/link.js", "/link.py", "/-/static/link.py"])


def test_front_end_file_comes_over_the_wire_as_it_was_built(server: Server) -> None:
    path = next(part for part in server.get("/")[1].split('"') if part.endswith(".js"))
    (reply,) = exchange(server.port, request("GET", path, server.port, accept_encoding="br"))
    assert (reply.status, reply.header("content-encoding")) == (200, "br")
    assert reply.header("cache-control") == "public, max-age=31536000, immutable"
    assert reply.body == (FOLDER / f"{path.rsplit('/', 1)[1]}.br").read_bytes()
    (without,) = exchange(server.port, request("HEAD", path, server.port, accept_encoding="br"))
    assert (without.status, without.body) == (200, b"")


def test_nothing_of_the_server_is_told_in_headers(server: Server) -> None:
    (reply,) = exchange(server.port, request("GET", "/", server.port, cookie=server.cookie()))
    assert reply.header("server") is None
    assert reply.header("x-powered-by") is None
