"""Sites as CSV and JSON files: out, in again, and every way in which a file can be wrong."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from brokerage.models import Site, SiteStatusChange
from jobs.groups import SHIFTERS
from pandasite.base.models import AuditLine
from pandasite.base.sheets import MAX_BYTES, safe_cell
from tests import builders as make
from tests.admin.pages import address, logged_in, staff, text

pytestmark = pytest.mark.django_db

CSV, JSON = "0", "1"
HEADER = "name,cloud,tier,type,flavour,memory_mb,slots,vos"


def exported(client: Client, form: str) -> str:
    answer = client.post(address(Site, "export"), {"format": form, "resource": "0"})
    assert answer.status_code == 200
    return answer.content.decode()


def imported(client: Client, body: str | bytes, form: str = CSV, **fields: Any) -> Any:
    raw = body.encode() if isinstance(body, str) else body
    given = {
        "format": form,
        "resource": "0",
        "reason": "new grid",
        "import_file": SimpleUploadedFile("sites.csv", raw),
    }
    return client.post(address(Site, "import"), given | fields, follow=True)


def grid() -> None:
    vos = [make.create_vo("atlas"), make.create_vo("charmm")]
    make.create_site("BNL", tier=1, memory_mb=4000, type="both", vos=vos)
    make.create_site("AGLT2", memory_mb=2000, type="production", flavour="OSG", slots=9)
    Site.objects.filter(name="AGLT2").update(status="offline", status_reason="cooling")


def facts() -> list[dict[str, Any]]:
    sites = Site.objects.order_by("name").prefetch_related("vos")
    columns = [f.attname for f in Site._meta.concrete_fields if f.attname != "id"]
    return [
        {name: getattr(site, name) for name in columns}
        | {"vos": sorted(vo.name for vo in site.vos.all())}
        for site in sites
    ]


@pytest.mark.parametrize("form", [CSV, JSON])
def test_an_exported_file_brings_lost_sites_back(form: str, root: Client) -> None:
    grid()
    before = facts()
    file = exported(root, form)
    Site.objects.all().delete()
    page = imported(root, file, form)
    status = ("status", "status_reason", "status_by", "status_at")
    after = [{k: v for k, v in site.items() if k not in status} for site in facts()]
    assert after == [{k: v for k, v in site.items() if k not in status} for site in before]
    assert "2 new" in text(page)


@pytest.mark.parametrize("form", [CSV, JSON])
def test_an_unchanged_file_changes_nothing(form: str, root: Client) -> None:
    grid()
    before = facts()
    page = imported(root, exported(root, form), form)
    assert facts() == before
    assert "0 new, 0 updated" in text(page) and "2 skipped" in text(page)


def test_numbers_are_numbers_in_json_and_clouds_and_vos_are_names(root: Client) -> None:
    grid()
    row = next(row for row in json.loads(exported(root, JSON)) if row["name"] == "BNL")
    assert (row["memory_mb"], row["cloud"], row["vos"]) == (4000, "US", "atlas,charmm")
    assert row["status"] == "online"


def test_the_export_keeps_to_the_filters_of_the_list(root: Client) -> None:
    grid()
    where = address(Site, "export") + "?type__exact=production"
    answer = root.post(where, {"format": JSON, "resource": "0"})
    assert [row["name"] for row in json.loads(answer.content)] == ["AGLT2"]


def test_cells_that_a_spreadsheet_would_run_are_quoted_in_csv_only(root: Client) -> None:
    make.create_site("AGLT2", status_reason="=HYPERLINK(1)")
    row = next(csv.DictReader(io.StringIO(exported(root, CSV))))
    assert row["status_reason"] == "'=HYPERLINK(1)"
    assert json.loads(exported(root, JSON))[0]["status_reason"] == "=HYPERLINK(1)"


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@x", "\tx", "\rx"])
def test_each_dangerous_beginning_is_quoted(cell: str) -> None:
    assert safe_cell(cell) == f"'{cell}"
    assert safe_cell(-1) == "-1"


def test_an_import_keeps_the_status_of_a_site_and_a_new_one_is_online(root: Client) -> None:
    grid()
    imported(root, "name,cloud,status,status_reason\nAGLT2,US,online,x\nNEW,US,test,y\n")
    status = dict(Site.objects.values_list("name", "status"))
    assert status == {"AGLT2": "offline", "BNL": "online", "NEW": "online"}
    assert Site.objects.get(name="NEW").status_reason == "imported"


def test_an_imported_site_begins_with_who_imported_it_and_when(root: Client) -> None:
    grid()
    imported(root, "name,cloud,slots\nAGLT2,US,5\nNEW,US,5\n")
    site = Site.objects.get(name="NEW")
    assert (site.status_by, site.status_reason) == ("root", "imported")
    change = SiteStatusChange.objects.get()  # none for the site that was there already
    assert (change.site, change.from_status, change.to_status) == (site, "", "online")
    assert (change.author, change.reason, change.at) == ("root", "imported", site.status_at)


def test_columns_that_are_left_out_stay_as_they_are(root: Client) -> None:
    grid()
    imported(root, "name,slots\nBNL,77\n")
    site = Site.objects.get(name="BNL")
    assert (site.slots, site.memory_mb, site.vos.count()) == (77, 4000, 2)


def test_an_import_writes_one_audit_line_with_its_reason(root: Client) -> None:
    make.create_cloud()
    imported(root, "name,cloud\nNEW,US\n", reason="from the registry")
    line = AuditLine.objects.get()
    assert (line.actor_name, line.action, line.reason) == (
        "root",
        "import_sites",
        "from the registry",
    )
    assert (line.subject, line.facts) == ("sites.csv", {"new": 1})


def test_to_check_only_imports_nothing(root: Client) -> None:
    make.create_cloud()
    page = imported(root, "name,cloud\nNEW,US\n", only_check="on")
    assert "no fault (1 new)" in text(page) and "Nothing was imported" in text(page)
    assert not Site.objects.exists() and not AuditLine.objects.exists()
    assert not SiteStatusChange.objects.exists()


def test_an_import_without_a_reason_is_an_error_at_the_field(root: Client) -> None:
    make.create_cloud()
    page = imported(root, "name,cloud\nNEW,US\n", reason=" ")
    assert page.context["form"].errors.keys() == {"reason"}
    assert not Site.objects.exists()


BAD_CELLS = [
    ("NEW,XX,2,both,OSG,1,1,", "cloud", "there is no cloud 'XX'"),
    ("NEW,US,two,both,OSG,1,1,", "tier", "'two' is not a whole number"),
    ("NEW,US,2,both,OSG,2.5,1,", "memory_mb", "'2.5' is not a whole number"),
    ("NEW,US,2,both,OSG,-1,1,", "memory_mb", "'-1' is not a whole number"),
    ("NEW,US,2,both,OSG,99999999999,1,", "memory_mb", "less than or equal to 2147483647"),
    ("NEW,US,2,both,OSG,,1,", "memory_mb", "'' is not a whole number"),
    ("NEW,US,2,some,OSG,1,1,", "type", "'some' is not a valid choice"),
    ("NEW,US,2,both,DIRAC,1,1,", "flavour", "'DIRAC' is not a valid choice"),
    ('NEW,US,2,both,OSG,1,1,"atlas,cms"', "vos", "there is no VO cms"),
    ("=NEW,US,2,both,OSG,1,1,", "name", "letters, digits"),
    (",US,2,both,OSG,1,1,", "name", "cannot be blank"),
    ("N" * 65 + ",US,2,both,OSG,1,1,", "name", "at most 64 characters"),
]


@pytest.mark.parametrize(("line", "column", "message"), BAD_CELLS)
def test_a_bad_cell_is_told_by_row_and_column_and_nothing_is_imported(
    line: str, column: str, message: str, root: Client
) -> None:
    make.create_cloud(), make.create_vo()
    page = imported(root, f"{HEADER}\nGOOD,US,2,both,OSG,1,1,atlas\n{line}\n")
    (bad,) = page.context["result"].invalid_rows
    assert bad.number == 2 and bad.field_specific_errors.keys() == {column}
    assert message in " ".join(bad.field_specific_errors[column])
    assert page.status_code == 200 and f"Row 2, {column}: " in text(page)
    assert not Site.objects.exists() and not AuditLine.objects.exists()


def test_a_new_site_needs_a_cloud(root: Client) -> None:
    page = imported(root, "name\nNEW\n")
    assert page.context["result"].invalid_rows[0].field_specific_errors.keys() == {"cloud"}


BAD_FILES = [
    (b"", CSV, "empty"),
    (b"  \n", CSV, "empty"),
    (b"name,cloud\n", CSV, "no rows"),
    (b"\xff\xfename", CSV, "not UTF-8"),
    (b"name,cloud\nA,US,2\n", CSV, "row 1 has 3 cells, the header has 2"),
    (b"name,cloud,tier\nA,US,2\nB,US\n", CSV, "row 2 has 2 cells, the header has 3"),
    (b"name,name\nA,B\n", CSV, "columns that come twice: name"),
    (b'name,cloud\n"A,US\n', CSV, "not CSV"),
    (b"{", JSON, "not JSON"),
    (
        b'[{"name": "A"},\n {"name" "B"}]',
        JSON,
        "not JSON: Expecting &#x27;:&#x27; delimiter at line 2 column 10",
    ),
    (b"[]", JSON, "no rows"),
    (b'{"name": "A"}', JSON, "must be a list of objects"),
    (b'[1, "a"]', JSON, "must be a list of objects"),
    (b'[{"name": "A", "name": "B"}]', JSON, "not JSON as it should be"),
    (b'[{"name": "A\\u0000"}]', JSON, "not JSON as it should be"),
    (b'[{"name": "A"}, {"slots": 1}]', JSON, "row 2 has other keys than row 1: name, slots"),
    (b"name,cloud\nA\0,US\n", CSV, "line 2 has the character U+0000"),
    (b"[" * 100_000, JSON, "not JSON as it should be"),
    (b"name\n" + b"A\n" * 10_001, CSV, "at most 10,000"),
    (b"x" * (MAX_BYTES + 1), CSV, "bytes, at most"),
]


@pytest.mark.parametrize(("raw", "form", "message"), BAD_FILES)
def test_a_file_that_is_no_table_is_an_error_at_the_field(
    raw: bytes, form: str, message: str, root: Client
) -> None:
    page = imported(root, raw, form)
    errors = page.context["form"].errors
    assert page.status_code == 200 and errors.keys() == {"import_file"}
    assert message in str(errors["import_file"])


BAD_TABLES = [
    ("name,cloud,nickname\nA,US,a\n", CSV, "unknown columns: nickname"),
    ("cloud,tier\nUS,2\n", CSV, "the column name is missing"),
    ("name,cloud\nA,US\nB,US\n A ,US\n", CSV, "row 3: name:"),
    ('[{"name": 7, "cloud": "US"}]', JSON, "row 1: name: must be a text"),
]


@pytest.mark.parametrize(("body", "form", "message"), BAD_TABLES)
def test_a_table_with_wrong_columns_is_refused_without_a_trace(
    body: str, form: str, message: str, root: Client
) -> None:
    make.create_cloud()
    page = imported(root, body, form)
    assert page.status_code == 200 and message in text(page)
    assert "Traceback" not in text(page)
    assert not Site.objects.exists() and not AuditLine.objects.exists()


def test_keys_in_another_order_do_not_mix_up_the_columns(root: Client) -> None:
    make.create_cloud()
    rows = [{"name": "A", "cloud": "US", "slots": 3}, {"slots": 4, "cloud": "US", "name": "B"}]
    imported(root, json.dumps(rows), JSON)
    assert dict(Site.objects.values_list("name", "slots")) == {"A": 3, "B": 4}


@pytest.mark.parametrize("value", [["atlas"], 5, None, {"a": 1}])
def test_json_values_of_another_kind_are_told_by_column(value: Any, root: Client) -> None:
    make.create_cloud()
    row = {"name": "A", "cloud": "US", "vos": value, "type": value, "slots": [value]}
    page = imported(root, json.dumps([row]), JSON)
    (bad,) = page.context["result"].invalid_rows
    assert bad.field_specific_errors.keys() == {"vos", "type", "slots"}


def test_who_only_looks_may_export_but_not_import() -> None:
    grid()
    shifter = logged_in(staff("sue", group=SHIFTERS))
    assert exported(shifter, CSV).startswith("name,")
    assert imported(shifter, "name,slots\nBNL,1\n").status_code == 403
    nobody = logged_in(staff("nobody"))
    assert nobody.get(address(Site, "export")).status_code == 403


def test_the_pages_of_import_and_export_have_no_inline_script(root: Client) -> None:
    for page in ("import", "export"):
        body = root.get(address(Site, page)).content.decode()
        assert all("src=" in tag.split(">")[0] for tag in body.split("<script")[1:])
        assert " onchange=" not in body and " style=" not in body
