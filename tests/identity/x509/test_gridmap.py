"""The grid-mapfile: read line by line, and done as often as one likes."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command

from jobs.models import PilotAccount
from pandasite.base.errors import BadInput
from pandasite.base.models import AuditLine
from pandasite.identity.forms import IdentityForm
from pandasite.identity.models import Identity
from pandasite.identity.x509.gridmap import parse
from tests.builders import create_site, create_user

CA = "/DC=ch/DC=test/CN=Test CA"
ISSUER = "CN=Test CA,DC=test,DC=ch"
FILE = f"""\
# kept by hand
#issuer "{CA}"
"/DC=ch/DC=test/OU=Users/CN=Alice" alice
"/DC=ch/DC=test/OU=Users/CN=Bob O'Brien" bob,other shifters,production-managers

"/DC=ch/DC=test/CN=host/factory.example.org" pilot@AGLT2
#issuer "CN=Other CA,O=Grid"
"CN=Alice,OU=Users,DC=test,DC=ch" alison
"""


def mapped(text: str, tmp_path: Path, *options: str) -> str:
    path, said = tmp_path / "grid-mapfile", StringIO()
    path.write_text(text, encoding="utf-8")
    call_command("gridmap", str(path), *options, stdout=said)
    return said.getvalue().strip()


def rows() -> set[tuple[str, str, str]]:
    found = Identity.objects.values_list("issuer", "subject", "user__username")
    return {(issuer, subject.split(",")[0], user) for issuer, subject, user in found}


def test_a_line_is_a_name_an_account_and_roles_below_its_authority() -> None:
    alice, bob, pilots, other = parse(FILE)
    assert (alice.issuer, alice.subject) == (ISSUER, "CN=Alice,OU=Users,DC=test,DC=ch")
    assert (bob.account, bob.roles) == ("bob", ("shifters", "production managers"))
    assert bob.subject.startswith("CN=Bob O'Brien,")
    assert (pilots.site, pilots.subject) == ("AGLT2", "CN=host/factory.example.org,DC=test,DC=ch")
    assert (other.issuer, other.account) == ("CN=Other CA,O=Grid", "alison")


def test_the_authority_may_be_given_with_the_file_and_the_last_line_of_a_name_counts() -> None:
    (entry,) = parse('"/CN=a" alice\n"/CN=a" bob\n', issuer=CA)
    assert (entry.issuer, entry.account, entry.line) == (ISSUER, "bob", 2)


BAD = {
    '"/CN=a" alice': "line 1: no authority is named",
    f'#issuer "{CA}"\n"/CN=a"': "line 2: a line is",
    f'#issuer "{CA}"\n/CN=a b alice x y': "line 2: a line is",
    f'#issuer "{CA}"\n"/CN=a alice': "line 2: No closing quotation",
    f'#issuer "{CA}"\n"/CN=a" .atlas': "line 2: .atlas is a pool of accounts",
    f'#issuer "{CA}"\n"/CN=a" a/b': "line 2: 'a/b' is no name of an account",
    f'#issuer "{CA}"\n"/CN=a" pilot@X shifters': "line 2: pilots have no roles",
    f'#issuer "{CA}"\n"/atlas/Role=production" alice': "line 2: .* is no name of a certificate",
    "#issuer": "line 1: #issuer is followed by one name",
    "#issuer CA": "line 1: 'CA' is no name of a certificate",
}


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_a_bad_line_is_refused_with_its_number(text: str) -> None:
    with pytest.raises(BadInput, match=BAD[text]):
        parse(text)


@pytest.mark.django_db
def test_a_file_makes_users_pilots_and_roles_once(tmp_path: Path) -> None:
    create_site("AGLT2")
    assert mapped(FILE, tmp_path) == (
        "4 new, 0 now of another user, 0 taken away; 3 users made, 2 roles given"
    )
    assert rows() == {
        (ISSUER, "CN=Alice", "alice"),
        (ISSUER, "CN=Bob O'Brien", "bob"),
        (ISSUER, "CN=host/factory.example.org", "pilot@AGLT2"),
        ("CN=Other CA,O=Grid", "CN=Alice", "alison"),
    }
    assert PilotAccount.objects.get().site.name == "AGLT2"
    assert {*Group.objects.filter(user__username="bob").values_list("name", flat=True)} == {
        "shifters",
        "production managers",
    }

    again = mapped(FILE, tmp_path)

    assert again == "0 new, 0 now of another user, 0 taken away; 0 users made, 0 roles given"
    assert AuditLine.objects.filter(action="gridmap").count() == 1


@pytest.mark.django_db
def test_a_name_moves_to_another_user_and_goes_when_pruned_and_other_authorities_stay(
    tmp_path: Path,
) -> None:
    create_site("AGLT2")
    mapped(FILE, tmp_path)
    changed = f'#issuer "{CA}"\n"/DC=ch/DC=test/OU=Users/CN=Alice" carol\n'

    assert mapped(changed, tmp_path).startswith("0 new, 1 now of another user, 0 taken away")
    assert mapped(changed, tmp_path, "--prune").startswith("0 new, 0 now of another user, 2 taken")
    assert rows() == {
        (ISSUER, "CN=Alice", "carol"),
        ("CN=Other CA,O=Grid", "CN=Alice", "alison"),
    }
    line = AuditLine.objects.filter(action="gridmap").latest("pk")
    assert line.facts["pruned"] == [
        "CN=Bob O'Brien,OU=Users,DC=test,DC=ch",
        "CN=host/factory.example.org,DC=test,DC=ch",
    ]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('"/CN=x" pilot@NOWHERE', "line 3: there is no site NOWHERE"),
        ('"/CN=x" carol no-such-role', "line 3: 'no such role' is none of .*shifters"),
    ],
    ids=["site", "role"],
)
def test_what_is_not_there_changes_nothing(tmp_path: Path, line: str, why: str) -> None:
    create_user("alice")
    with pytest.raises(CommandError, match=why):
        mapped(f'#issuer "{CA}"\n"/CN=a" alice\n{line}\n', tmp_path)
    assert not rows()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("issuer", "subject", "kept"),
    [
        (CA, "/DC=ch/CN=Alice", (ISSUER, "CN=Alice,DC=ch")),
        (ISSUER, "CN=Alice,DC=ch", (ISSUER, "CN=Alice,DC=ch")),
        ("https://iam.example/", "/no=name", ("https://iam.example/", "/no=name")),
    ],
    ids=["slashes", "rfc 4514", "token"],
)
def test_an_administrator_may_write_a_name_in_either_form(
    issuer: str, subject: str, kept: tuple[str, str]
) -> None:
    user = create_user("alice")
    form = IdentityForm({"user": user.pk, "issuer": issuer, "subject": subject})
    assert form.is_valid(), form.errors
    assert (form.cleaned_data["issuer"], form.cleaned_data["subject"]) == kept
    wrong = IdentityForm({"user": user.pk, "issuer": CA, "subject": "Alice"})
    assert "no name of a certificate" in wrong.errors["subject"][0]


@pytest.mark.django_db
def test_a_file_of_some_thousand_lines_takes_some_statements(
    tmp_path: Path, django_assert_max_num_queries
) -> None:
    lines = "\n".join(f'"/O=Grid/CN=User {n}" user{n} shifters' for n in range(2000))
    with django_assert_max_num_queries(40):
        mapped(f'#issuer "{CA}"\n{lines}', tmp_path)
    assert Identity.objects.count() == 2000
