"""What Rucio answers, as what it means; and what it is told.

The server here is a socket that says what the test wants. A real Rucio is in tests/rucio.
"""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from datasets.ddm import rucio
from datasets.ddm.choice import KNOWN
from datasets.ddm.contract import Arrived, DdmError, DdmRefused, NewFile, Seen, Wish
from pandasite.ddm import rucio_server
from pandasite.environment import Environment
from tests.builders import ADLER32, GUID
from tests.datasets.ddm.scripted import CLOSE, created, lines, refusal
from tests.datasets.servers import says

WISH = Wish(dataset="d", scope="mc09", storage="NEAR")
RULE = {
    "id": "r1", "scope": "mc09", "name": "d", "state": "REPLICATING", "error": None,
    "locks_ok_cnt": 0, "locks_stuck_cnt": 0,
}  # fmt: skip
MEMBERS = [
    {"scope": "mc09", "name": "f1", "bytes": 10, "adler32": ADLER32},
    {"scope": "mc09", "name": "f2", "bytes": 20, "adler32": "c2a04f1"},
]


# -- what is seen of a rule --------------------------------------------------------------------


def lock(name: str, state: str) -> dict[str, str]:
    return {"scope": "mc09", "name": name, "state": state, "rse": "NEAR"}


SEEN = {
    "nothing yet": ({}, [], Seen()),
    "one of two": (
        {"locks_ok_cnt": 1},
        [lock("f1", "OK"), lock("f2", "REPLICATING")],
        Seen(arrived=[Arrived(name=("mc09", "f1"), size=10, adler32=ADLER32)], failed={}),
    ),
    "a checksum without its leading zero": (
        {"locks_ok_cnt": 1, "state": "OK"},
        [lock("f2", "OK")],
        Seen(arrived=[Arrived(name=("mc09", "f2"), size=20, adler32="0c2a04f1")], failed={}),
    ),
    "stuck with a reason": (
        {"locks_stuck_cnt": 1, "state": "STUCK", "error": "no space left"},
        [lock("f2", "STUCK")],
        Seen(arrived=[], failed={("mc09", "f2"): "no space left"}),
    ),
    "suspended": (
        {"state": "SUSPENDED", "error": "too many failures"},
        [],
        Seen(over="Rucio has suspended the rule: too many failures"),
    ),
}


@pytest.mark.parametrize(("rule", "locks", "seen"), SEEN.values(), ids=SEEN)
def test_a_rule_and_its_locks_say_what_became_of_a_wish(script, system, rule, locks, seen):
    script.answers |= {
        "GET /rules/r1": lines(RULE | rule),
        "GET /rules/r1/locks": lines(*locks),
        "GET /dids/mc09/d/files": lines(*MEMBERS),
    }

    assert system.states(["r1"]) == {"r1": seen}


def test_a_rule_that_is_gone_is_a_wish_that_is_over(script, system):
    script.answers["GET /rules/r1"] = refusal("404 Not Found", "RuleNotFound")

    assert system.states(["r1"])["r1"].over == "Rucio has no rule r1 any more"


def test_a_rule_that_rucio_does_not_show_holds_up_no_other(script, system):
    script.answers |= {
        "GET /rules/r1": refusal("401 Unauthorized", "AccessDenied"),
        "GET /rules/r2": lines(RULE),
        "GET /rules/r3": says("502 Bad Gateway", more=CLOSE),
    }

    assert system.states(["r1", "r2", "r3"]) == {"r2": Seen()}
    with pytest.raises(DdmError, match="502"):
        system.states(["r3"])


# -- what is told ------------------------------------------------------------------------------


def test_only_new_members_are_told_and_in_bulks(script, system, monkeypatch):
    monkeypatch.setattr(rucio, "BULK", 2)
    files = [NewFile("mc09", f"n{nr}", GUID, 1, ADLER32, 5) for nr in range(3)]
    old = {"scope": "mc09", "name": "n0", "bytes": 1, "adler32": ADLER32}
    all_of_them = [old | {"name": file.lfn} for file in files]
    files.append(NewFile("mc09", "n3", GUID, 1, ADLER32))
    all_of_them.append(old | {"name": "n3"})
    script.answers |= {
        "GET /dids/mc09/d/files": [lines(old), lines(*all_of_them)],
        "POST /replicas": created(),
        "POST /dids/attachments": created(),
    }

    system.register("d", files, scope="mc09", replicas={file.name: ["FAR"] for file in files})

    assert script.asked.count("POST /replicas") == 2
    assert script.asked.count("POST /dids/attachments") == 2


def test_a_replica_where_rucio_has_no_storage_is_passed_over(script, system):
    script.answers |= {
        "GET /dids/mc09/d/files": [lines(), lines(MEMBERS[0])],
        "POST /replicas": [refusal("404 Not Found", "RSENotFound"), created()],
        "POST /dids/attachments": created(),
    }
    file = NewFile("mc09", "f1", GUID, 10, ADLER32)

    system.register("d", [file], scope="mc09", replicas={file.name: ["OURS-ALONE", "REAL"]})

    assert script.asked.count("POST /replicas") == 2


@pytest.mark.parametrize(("size", "adler32"), [(11, ADLER32), (10, "00000001")], ids=str)
def test_a_name_with_other_content_there_is_refused(script, system, size, adler32):
    script.answers["GET /dids/mc09/d/files"] = lines(*MEMBERS)

    with pytest.raises(DdmRefused, match=f"mc09:f1 with 10 bytes.*says {size} and {adler32}"):
        system.register(
            "d", [NewFile("mc09", "f1", GUID, size, adler32)], scope="mc09", replicas={}
        )


def test_the_rule_that_is_there_already_is_ours_again(script, system):
    script.answers |= {
        "POST /rules/": refusal("409 Conflict", "DuplicateRule"),
        "GET /dids/mc09/d/rules": lines(
            {"id": "r8", "account": "panda", "rse_expression": "FAR"},
            {"id": "r9", "account": "panda", "rse_expression": "NEAR"},
        ),
        "PUT /rules/r9": says("200 OK", more=CLOSE),
    }

    assert system.subscribe(WISH) == "r9"


def test_what_is_not_there_any_more_is_cancelled(script, system):
    script.answers["DELETE /rules/r1"] = refusal("404 Not Found", "RuleNotFound")

    system.cancel("r1", reason="enough")

    assert script.asked[-1] == "DELETE /rules/r1"


def test_our_priorities_are_one_to_five_there():
    said = [-5000, -1, 0, 999, 1000, 200_000]

    assert [rucio.priority_of(one) for one in said] == [1, 2, 3, 4, 5, 5]


# -- settings ----------------------------------------------------------------------------------

GOOD = {"PANDASITE_RUCIO_URL": "https://rucio.example.org/", "PANDASITE_RUCIO_ACCOUNT": "panda"}


def test_the_settings_say_where_rucio_is():
    more = {"PANDASITE_RUCIO_ACTIVITIES": "production=Production Input"}

    server = rucio_server(Environment(GOOD | more), [KNOWN["rucio"]])

    assert (server.url, server.account) == ("https://rucio.example.org", "panda")
    assert server.activities == {"production": "Production Input"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PANDASITE_RUCIO_URL", ""),
        ("PANDASITE_RUCIO_URL", "rucio.example.org"),
        ("PANDASITE_RUCIO_AUTH_URL", "ftp://rucio.example.org"),
        ("PANDASITE_RUCIO_ACCOUNT", ""),
        ("PANDASITE_RUCIO_ACTIVITIES", "production"),
    ],
    ids=lambda word: word.rpartition("_")[2] or "none",
)
def test_a_setting_that_says_nothing_is_refused_by_name(name, value):
    with pytest.raises(ImproperlyConfigured, match=name):
        rucio_server(Environment(GOOD | {name: value}), [KNOWN["rucio"]])


def test_without_rucio_nothing_has_to_be_set():
    assert rucio_server(Environment({}), [""]).url == ""
