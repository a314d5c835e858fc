"""What becomes of file names that people send."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipulate.explicit.names import another, plain


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("a.csv", "a.csv"),
        ("Übersicht 1.csv", "Übersicht 1.csv"),
        ("../../e.py", "e.py"),
        ("..\\..\\e.py", "e.py"),
        ("C:\\x", "x"),
        ("C:x", "Cx"),
        ("\\\\host\\share\\x", "x"),
        ("/etc/passwd", "passwd"),
        ("a\0.csv", "a.csv"),
        ("a\r\nSet-Cookie: b.csv", "aSet-Cookie b.csv"),
        ("\u202egpj.exe", "gpj.exe"),
        ("a\u200b\ufeff.csv", "a.csv"),
        ("e\u0301.csv", "\u00e9.csv"),
        ("<img onerror=x>", "img onerror=x"),
        (".htaccess", "htaccess"),
        ("-rf", "rf"),
        ("CON", "file-CON"),
        ("nul.txt", "file-nul.txt"),
        ("", "file"),
        (".", "file"),
        ("..", "file"),
        ("/", "file"),
        ("\0", "file"),
        ("\ud800.csv", "csv"),
    ],
)
def test_name_leads_nowhere(sent: str, kept: str) -> None:
    assert plain(sent) == kept
    assert plain(kept) == kept


@pytest.mark.parametrize("sign", ["x", "é", "\U0001f600"])
def test_long_name_fits_and_keeps_its_ending(sign: str, tmp_path: Path) -> None:
    name = plain(sign * 3_000 + ".csv")
    assert name.endswith(f"{sign}.csv")
    assert 190 < len(name.encode()) <= 200
    (tmp_path / name).touch()
    assert len(plain("x." + sign * 3_000).encode()) <= 200


def test_second_file_of_a_name_gets_a_number() -> None:
    taken: set[str] = set()
    assert [another(each, taken) for each in ("a.csv", "A.CSV", "a.csv", "b", "b", "a-2.csv")] == [
        "a.csv", "A-2.CSV", "a-3.csv", "b", "b-2", "a-2-2.csv"
    ]  # fmt: skip
