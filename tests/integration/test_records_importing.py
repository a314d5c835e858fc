"""Bringing a table into records through the application, as forms of the browser do, and records out as files."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pipulate.app import Application
from pipulate.crud import exporting
from pipulate.crud import many as many_at_once
from pipulate.crud.long import LONG
from pipulate.jobs.local import LocalJobs
from pipulate.security.capability import OWNER
from pipulate.security.who import Who
from pipulate.storage import jobs, profiles
from pipulate.storage.records.queries import Query
from tests.support.site import Answer, Browser, running

pytestmark = pytest.mark.anyio

WHO = Who(OWNER, None)
ADDRESS = "/-/records/products/import"
PRODUCTS = """
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from pipulate import Link, Resource


class Product(BaseModel):
    sku: str
    name: Annotated[str, Field(min_length=2, title="Name of it")]
    price: Decimal = Decimal(0)
    on_sale: bool = False
    size: Literal["small", "large"] = "small"
    tags: list[str] = []
    maker: Annotated[int | None, Link("makers")] = None


products = Resource("products", Product, key="sku", columns=["name", "sku", "double"], sort="sku")


@products.column("double", "Twice the price")
def double(product: Product) -> Decimal:
    return product.price * 2
"""
MAKERS = """
from pydantic import BaseModel

from pipulate import Resource


class Maker(BaseModel):
    name: str


makers = Resource("makers", Maker)
"""


class Desk:
    """A browser at the products."""

    def __init__(self, application: Application) -> None:
        self.application, self.browser = application, Browser(application)
        self.site = application.site

    async def add(self, resource: str = "products", **values: Any) -> int:
        outcome = await self.site.records.create(self.site.records.resources[resource], values, "default", WHO)
        return outcome.records[0].id

    async def products(self) -> dict[str, dict[str, Any]]:
        found = await self.site.records.page(self.site.records.resources["products"], Query(), limit=100_000)
        return {each.values["sku"]: dict(each.values) for each in found.records}

    async def paste(self, text: str) -> str:
        answer = await self.browser.post(ADDRESS, {"paste": text})
        assert answer.status == 303, answer.text
        return answer.headers["location"]

    async def file(self, name: str, content: bytes) -> Answer:
        part = "--b\r\ncontent-disposition: form-data; name="
        head = f'{part}"file"; filename="{name}"\r\ncontent-type: text/csv\r\n\r\n'.encode()
        body = head + content + f'\r\n{part}"paste"\r\n\r\n\r\n--b--\r\n'.encode()
        return await self.browser.send(
            "POST", ADDRESS, body, headers={"content-type": "multipart/form-data; boundary=b"}
        )

    async def decide(self, address: str, do: str, **form: str) -> Answer:
        """Press a button of the page, with what its form holds unless something else is given."""
        page = (await self.browser.get(address)).text
        held = {}
        for name, options in re.findall(r'<select name="(column\.\d+)"[^>]*>(.*?)</select>', page, re.DOTALL):
            chosen = re.search(r'<option value="(\w*)" selected>', options)
            held[name] = chosen[1] if chosen else ""
        answer = await self.browser.post(address, {**held, "do": do, **form})
        return answer if answer.status != 303 else await self.browser.get(answer.headers["location"])

    async def idle(self) -> None:
        await self.site.engine.background.jobs.idle()  # type: ignore[attr-defined] # the jobs of this process have it


@asynccontextmanager
async def a_desk(folder: Path, **settings: Any) -> AsyncIterator[Desk]:
    (folder / "plugins").mkdir(exist_ok=True)
    (folder / "plugins" / "products.py").write_text(PRODUCTS)
    (folder / "plugins" / "makers.py").write_text(MAKERS)
    async with running(folder, jobs=LocalJobs, **settings) as application:
        yield Desk(application)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with a_desk(tmp_path) as made:
        yield made


TABLE = "sku\tName of it\tprice\tremark\na\tApple\t1,5\tx\nb\tB\t2\ty\nc\tCherry\tmuch\tz\n"


async def test_pasted_table_is_mapped_tried_taken_and_undone(desk: Desk) -> None:
    address = await desk.paste(TABLE)
    page = (await desk.browser.get(address)).text
    assert '<option value="name" selected>Name of it</option>' in page
    assert "Apple" in page
    tried = (await desk.decide(address, "check")).text
    assert "That would come of it: 1 added; 2 not taken, as something is wrong with them." in tried
    assert await desk.products() == {}
    taken = (await desk.decide(address, "take")).text
    assert "1 added; 2 not taken" in taken
    assert (await desk.products())["a"]["price"] == "1.5"
    operation = re.search(r'name="operation" value="(\w+)"', taken)
    assert operation
    await desk.browser.post("/-/records/products/undo", {"operation": operation[1]})
    assert await desk.products() == {}
    assert "Taken back" in (await desk.browser.get(address)).text


async def test_problems_name_the_row_of_the_file_the_field_and_a_sentence(desk: Desk) -> None:
    tried = (await desk.decide(await desk.paste(TABLE), "check")).text
    rows = re.findall(r'<tr><td class="number">(\d+)</td><td>([^<]*)</td><td[^>]*>([^<]+)</td>', tried)
    assert [(row, field) for row, field, _ in rows] == [("3", "Name of it"), ("4", "Price")]
    assert all(words.endswith(".") for *_, words in rows)


async def test_wrong_rows_come_as_a_file_with_the_reasons(desk: Desk) -> None:
    address = await desk.paste(TABLE.replace("much", "=1+1"))
    await desk.decide(address, "check")
    answer = await desk.browser.get(f"{address}/wrong.csv")
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[0] == ["sku", "Name of it", "price", "remark", "Row", "What is wrong"]
    assert [row[0] for row in rows[1:]] == ["b", "c"]
    assert rows[2][2] == "'=1+1"
    assert rows[1][5].startswith("Name of it: ")


async def test_file_of_wrong_rows_has_all_of_them_whatever_the_page_shows(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many_at_once, "AT_ONCE", 7)
    monkeypatch.setattr(many_at_once, "PROBLEMS_MAX", 3)
    table = "sku\tname\tprice\n" + "".join(
        f"{n}\t{'A' if n % 2 else 'Aa'}\t{'x' if n % 3 == 0 else 1}\n" for n in range(50)
    )
    wrong = [n for n in range(50) if n % 2 or n % 3 == 0]
    address = await desk.paste(table)
    for do, said in (("check", "That would come of it"), ("take", f"{50 - len(wrong)} added")):
        page = (await desk.decide(address, do)).text
        assert said in page
        answer = await desk.browser.get(f"{address}/wrong.csv")
        rows = list(csv.reader(io.StringIO(answer.text)))[1:]
        assert [(int(row[0]), int(row[3])) for row in rows] == [(n, n + 2) for n in wrong]
        assert [("Name of it: " in row[4], "Price: " in row[4]) for row in rows] == [
            (n % 2 == 1, n % 3 == 0) for n in wrong
        ]
    held = desk.application.layout.state / "imports"
    assert {each.suffix for each in held.iterdir()} == {"", ".tried", ".taken"}
    for _ in range(5):
        await desk.paste("sku\tname\na\tAa")
    assert [each.name for each in held.iterdir() if each.suffix] == []


async def test_table_is_taken_in_once_however_often_the_button_is_pressed(desk: Desk) -> None:
    answer = await desk.browser.post("/-/records/makers/import", {"paste": "name\nAcme\nBolt"})
    address, form = answer.headers["location"], {"column.0": "name", "do": "take"}
    await asyncio.gather(*(desk.browser.post(address, form) for _ in range(4)))
    found = await desk.site.records.page(desk.site.records.resources["makers"], Query(), limit=9)
    assert [each.values["name"] for each in found.records] == ["Acme", "Bolt"]
    assert "2 added." in (await desk.browser.get(address)).text


async def test_rows_that_are_there_are_left_out_or_change_the_record(desk: Desk) -> None:
    await desk.add(sku="a", name="Apple")
    table = "sku\tname\na\tApricot\nb\tBanana"
    assert "1 added; 1 left out" in (await desk.decide(await desk.paste(table), "take")).text
    assert (await desk.products())["a"]["name"] == "Apple"
    changed = await desk.decide(await desk.paste(table), "take", choice="update")
    assert "1 changed; 1 the same already." in changed.text
    assert (await desk.products())["a"]["name"] == "Apricot"


async def test_link_is_taken_by_label_or_number_and_what_is_unclear_is_told(desk: Desk) -> None:
    acme, first, _ = [await desk.add("makers", name=name) for name in ("Acme", "Twin", "Twin")]
    page = await desk.decide(
        await desk.paste(f"sku\tname\tmaker\na\tAa\tAcme\nb\tBb\t{first}\nc\tCc\tTwin\nd\tDd\tNobody\ne\tEe\t"), "take"
    )
    found = await desk.products()
    assert {sku: each["maker"] for sku, each in found.items()} == {"a": acme, "b": first, "e": None}
    assert "2 records in Makers are called &#x27;Twin&#x27;" in page.text
    assert "There is no &#x27;Nobody&#x27; in Makers." in page.text


async def test_file_is_read_whatever_its_encoding_and_delimiter(desk: Desk) -> None:
    answer = await desk.file("äpfel.csv", "sku;name;price\nä;Äpfel;1.234,50\n".encode("cp1252"))
    await desk.decide(answer.headers["location"], "take")
    assert (await desk.products())["ä"]["price"] == "1234.50"


async def test_file_is_read_in_another_way_where_somebody_says_so(desk: Desk) -> None:
    location = (await desk.file("a.csv", b"a;Apple\nb;Berry\n")).headers["location"]
    form = {"encoding": "utf-8-sig", "delimiter": ";"}
    page = await desk.decide(location, "read", **form)
    assert "Column 2" in page.text
    assert ": 2 rows" in page.text
    await desk.decide(location, "take", **{"column.0": "sku", "column.1": "name"})
    assert list(await desk.products()) == ["a", "b"]


async def test_json_is_a_list_of_objects(desk: Desk) -> None:
    content = json.dumps([{"sku": "a", "name": "'=x", "tags": ["p", "q;r"], "on_sale": True}, {"sku": "b"}])
    page = await desk.decide((await desk.file("a.json", content.encode())).headers["location"], "take")
    assert (await desk.products())["a"] | {"maker": 0} == {
        "sku": "a", "name": "'=x", "price": "0", "on_sale": True, "size": "small", "tags": ["p", "q;r"], "maker": 0,
    }  # fmt: skip
    assert "1 added; 1 not taken" in page.text


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.xlsx", b"PK\x03\x04rest", "Save the sheet as CSV"),
        ("a.csv", b"", "There is nothing in this file."),
        ("a.json", b'{"a": 1}', "JSON has to be a list of objects"),
        ("a.json", b"[1", "This is no JSON that can be read"),
    ],
)
async def test_what_is_no_table_is_refused_with_what_to_do(
    desk: Desk, name: str, content: bytes, sentence: str
) -> None:
    answer = await desk.file(name, content)
    assert answer.status == 422
    assert sentence in answer.text


async def test_nothing_chosen_and_no_field_are_told(desk: Desk) -> None:
    answer = await desk.browser.post(ADDRESS, {"paste": " "})
    assert (answer.status, "Choose a file, or paste a table." in answer.text) == (422, True)
    address = await desk.paste("what\nApple")
    answer = await desk.decide(address, "take")
    assert (answer.status, "Choose a field for at least one column." in answer.text) == (422, True)
    answer = await desk.decide(await desk.paste("a\tb\n1\t2"), "take", **{"column.0": "sku", "column.1": "sku"})
    assert (answer.status, "Two columns are for the same field." in answer.text) == (422, True)


async def test_file_that_is_too_large_is_refused_and_not_kept(tmp_path: Path) -> None:
    async with a_desk(tmp_path, upload_file_mb=1) as desk:
        answer = await desk.file("a.csv", b"sku\n" + b"x" * 1_100_000)
        assert answer.status == 413
        assert list((tmp_path / "data" / "state" / "imports").iterdir()) == []


async def test_table_of_another_profile_is_not_found(desk: Desk) -> None:
    address = await desk.paste(TABLE)
    await desk.add("profiles", name="Other")
    (other,) = [each.id for each in await desk.site.db.read(profiles.listed) if each.name == "Other"]
    await desk.browser.post("/-/profile", {"profile": other})
    assert (await desk.browser.get(address)).status == 404


async def test_only_the_newest_tables_wait(desk: Desk) -> None:
    addresses = [await desk.paste(f"sku\tname\n{number}\tAa") for number in range(7)]
    statuses = [(await desk.browser.get(each)).status for each in addresses]
    assert statuses == [404, 404, 200, 200, 200, 200, 200]


def many(rows: int) -> str:
    return "sku\tname\n" + "".join(f"{number:06d}\tThing {number}\n" for number in range(rows))


async def test_large_table_is_tried_and_taken_in_by_jobs_and_undone_by_one(desk: Desk) -> None:
    rows = LONG + 5
    address = await desk.paste(many(rows) + "x\ty")
    await desk.decide(address, "check")
    await desk.idle()
    page = (await desk.browser.get(address)).text
    assert f"{rows:,} added; 1 not taken" in page
    await desk.decide(address, "take")
    await desk.idle()
    page = (await desk.browser.get(address)).text
    assert f"{rows:,} added; 1 not taken" in page
    assert len(await desk.products()) == rows
    operation = re.search(r'name="operation" value="(\w+)"', page)
    assert operation
    answer = await desk.browser.post("/-/records/products/undo", {"operation": operation[1]})
    assert answer.headers["location"].startswith("/-/jobs/")
    await desk.idle()
    assert await desk.products() == {}
    for row in await desk.site.db.read(jobs.listed, OWNER, profile=None, statuses=(jobs.DONE,), app=None, limit=9):
        assert row.done["done"] == row.done["total"]


# Out


async def test_export_is_what_is_asked_for_with_all_pages_and_columns(desk: Desk) -> None:
    maker = await desk.add("makers", name="Acme")
    for number in range(120):
        await desk.add(sku=f"{number:03d}", name="Odd" if number % 2 else "Even", price="1.50", maker=maker)
    answer = await desk.browser.get("/-/records/products/export.csv?find=odd&sort=-sku&page=2&bom=1")
    rows = list(csv.reader(io.StringIO(answer.body.decode("utf-8-sig"))))
    assert answer.body.startswith(b"\xef\xbb\xbf")
    assert rows[0] == ["Name of it", "Sku", "Twice the price", "Price", "On sale", "Size", "Tags", "Maker"]
    assert [row[1] for row in rows[1:]] == [f"{number:03d}" for number in range(119, 0, -2)]
    assert rows[1] == ["Odd", "119", "3.00", "1.50", "false", "small", "", "Acme"]
    assert re.search(r'filename="Products-\d{4}-\d\d-\d\d\.csv"', answer.headers["content-disposition"])


async def test_export_runs_nothing_in_a_spreadsheet_and_comes_back_the_same(desk: Desk) -> None:
    nasty = ["=1+1", "+1", "-1", "@x", "'=x", " =y", "\uff1dz", 'a"b', "'plain"]
    for number, text in enumerate(nasty):
        await desk.add(sku=f"s{number}", name=text.strip() + "..", tags=["a;b", text.strip()], price="-5.10")
    before = await desk.products()
    answer = await desk.browser.get("/-/records/products/export.csv")
    cells = [cell for row in csv.reader(io.StringIO(answer.text)) for cell in row if cell not in ("-5.10", "-10.20")]
    assert not [cell for cell in cells if cell.lstrip(" ")[:1] in ("=", "+", "-", "@", "\uff1d")]
    resource = desk.site.records.resources["products"]
    await desk.site.records.delete(resource, await desk.site.records.numbers(resource, Query()), WHO)
    page = await desk.decide((await desk.file("back.csv", answer.body)).headers["location"], "take")
    assert f"{len(nasty)} added." in page.text
    assert await desk.products() == before


async def test_json_has_all_fields_as_they_are_stored_and_comes_back(desk: Desk) -> None:
    number = await desk.add(sku="a", name="=Apple", tags=["x"], price="1.10")
    answer = await desk.browser.get("/-/records/products/export.json")
    assert json.loads(answer.text) == [
        {"id": number, "sku": "a", "name": "=Apple", "price": "1.10", "on_sale": False, "size": "small", "tags": ["x"],
         "maker": None}
    ]  # fmt: skip
    empty = await desk.browser.get("/-/records/makers/export.json")
    assert json.loads(empty.text) == []


async def test_xlsx_has_types_and_no_formula(desk: Desk) -> None:
    await desk.add(sku="=1+1", name="http://x.test", price="1.50", on_sale=True)
    answer = await desk.browser.get("/-/records/products/export.xlsx")
    with zipfile.ZipFile(io.BytesIO(answer.body)) as file:
        sheet = file.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert "hyperlink" not in sheet
    assert "<v>1.5</v>" in sheet
    assert 't="b"' in sheet


async def test_record_that_goes_while_a_file_is_written_is_left_out(desk: Desk) -> None:
    for number in range(exporting.AT_ONCE + 1):
        await desk.add(sku=f"{number:04d}", name="Aa")
    resource, seen = desk.site.records.resources["products"], list[int]()
    async for found, _ in exporting.pages(desk.site.records, resource, Query()):
        if not seen:
            last = exporting.AT_ONCE + 1
            await desk.site.records.delete(resource, [last], WHO)
        seen += [each.id for each in found]
    assert len(seen) == exporting.AT_ONCE
