"""Claims that share their statements: each gets what it would have got alone."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from brokerage.models import BannedNode, Site
from jobs import dispatch, fsck, many_claims
from jobs.identity import Caller
from jobs.models import AnswerDelta, ClaimKey, Job, JobEvent, Pilot, PilotAccount, SiteRoom
from pandasite.base.errors import DomainError
from tests.builders import NOW, create_job, create_pilot_account, create_site
from tests.jobs.asking import ABLE, claim

pytestmark = pytest.mark.django_db


class Group:
    """Claims that are asked for together, as a web process asks for those that wait in it."""

    def __init__(self) -> None:
        self.asked: list[tuple[many_claims.Values, PilotAccount]] = []

    def ask(
        self, account: PilotAccount, name: str, *, key: str = "", n_jobs: int = 1,
        token: str | None = None, body: str = "body", **facts: Any,
    ) -> None:  # fmt: skip
        """A claim of the pilot with this name, whose key has it too."""
        question = dispatch.question(
            caller=Caller.of(account, token=token),
            facts=dispatch.Facts(**ABLE | {"pilot_id": name} | facts),
            key=key or f"key.{name}",
            body_sha256=body,
            n_jobs=n_jobs,
            salt=None,
        )
        self.asked.append((question, account))

    def answers(self) -> list[Any]:
        """What each got, or was refused with."""
        questions = [question for question, _ in self.asked]
        found = many_claims.answers(connection, questions, now=NOW)
        return [self._told(*one) for one in zip(found, self.asked, strict=True)]

    def _told(self, answer: Any, asked: tuple[many_claims.Values, PilotAccount]) -> Any:
        question, account = asked
        try:
            return dispatch.told(answer, question, site=account.site.name)
        except DomainError as refusal:
            return refusal


@pytest.fixture
def group() -> Group:
    return Group()


def activated(site: Site, n: int, **columns: Any) -> list[int]:
    return [create_job("activated", site=site, **columns).pk for _ in range(n)]


def given(claimed: Any) -> list[int]:
    return [job["panda_id"] for job in claimed.jobs]


def test_each_has_jobs_of_its_own_the_best_first(site: Site, pilots: PilotAccount, group: Group):
    jobs = activated(site, 6)
    for name in "abcd":
        group.ask(pilots, name)

    answers = group.answers()

    assert [given(one) for one in answers] == [[pk] for pk in jobs[:4]]
    assert len({job["lease_token"] for one in answers for job in one.jobs}) == 4
    assert fsck.check() == []


def test_a_job_is_told_and_written_as_to_who_asks_alone(
    site: Site, pilots: PilotAccount, group: Group
):
    odd = {"node": 'wn "7", (\\)', "factory": "", "labels": ("managed", 'a "b", \\{}', "NULL")}
    alone, together, _ = (
        create_job(
            "activated", site=site, job_parameters="--quotes=\"', \\", outputs=[f"HIST.{nr}"]
        )
        for nr in range(3)
    )
    one = claim(pilots, pilot_id="x", **odd).jobs[0]
    group.ask(pilots, "x", **odd)
    group.ask(pilots, "y", **odd)

    other = group.answers()[0].jobs[0]

    assert (one["panda_id"], other["panda_id"]) == (alone.pk, together.pk)
    assert [file["lfn"] for file in other["files"]] == ["HIST.1"]
    assert alike(one, but=TOLD_APART) == alike(other, but=TOLD_APART)
    before, after = Job.objects.filter(state="sent").order_by("pk").values()[:2]
    assert alike(before, but=KEPT_APART) == alike(after, but=KEPT_APART)
    events = JobEvent.objects.filter(job__in=[alone, together], to_state="sent")
    assert len({repr(event) for event in events.values("seq", "actor", "at", "reason")}) == 1
    key = ClaimKey.objects.get(key="key.x")
    assert (key.panda_ids, key.attempts, key.body_sha256) == ([together.pk], [1], "body")


TOLD_APART = ("panda_id", "job_name", "lease_token", "lease_sha256", "files")
KEPT_APART = ("panda_id", "job_name", "lease_sha256")


def alike(facts: dict[str, Any], *, but: tuple[str, ...]) -> dict[str, Any]:
    """What is the same for two jobs that are alike."""
    return {name: value for name, value in facts.items() if name not in but}


def test_a_cap_holds_among_those_of_a_group(site: Site, pilots: PilotAccount, group: Group):
    Site.objects.update(job_cap=3)
    activated(site, 6)
    claim(pilots)
    for name in "abcd":
        group.ask(pilots, name)

    answers = group.answers()

    assert [len(one.jobs) for one in answers] == [1, 1, 0, 0]
    assert [one.reason for one in answers] == ["", "", "site_full", "site_full"]
    assert Job.objects.filter(state="sent").count() == 3
    assert SiteRoom.objects.get().room == 0
    assert fsck.check() == []


def test_of_several_jobs_the_cap_leaves_a_part(site: Site, pilots: PilotAccount, group: Group):
    Site.objects.update(job_cap=4)
    activated(site, 9)
    group.ask(pilots, "a", n_jobs=3)
    group.ask(pilots, "b", n_jobs=3)
    group.ask(pilots, "c")

    answers = group.answers()

    assert [len(one.jobs) for one in answers] == [3, 1, 0]
    assert SiteRoom.objects.get().room == 0
    assert fsck.check() == []


def test_a_site_without_a_cap_any_more_stops_counting(
    site: Site, pilots: PilotAccount, group: Group
):
    Site.objects.update(job_cap=2)
    activated(site, 4)
    claim(pilots)
    Site.objects.update(job_cap=0)
    group.ask(pilots, "a")
    group.ask(pilots, "b")

    assert [len(one.jobs) for one in group.answers()] == [1, 1]
    assert not SiteRoom.objects.exists()


def test_two_who_want_the_last_job(site: Site, pilots: PilotAccount, group: Group):
    (last,) = activated(site, 1)
    group.ask(pilots, "a")
    group.ask(pilots, "b")

    first, second = group.answers()

    assert (given(first), second.reason) == ([last], "no_job")
    assert {*Pilot.objects.values_list("pilot_id", "claims", "jobs")} == {("a", 1, 1), ("b", 1, 0)}
    assert {*AnswerDelta.objects.values_list("outcome", "n")} == {("job", 1), ("no_job", 1)}


def test_numbers_of_jobs_may_differ(site: Site, pilots: PilotAccount, group: Group):
    jobs = activated(site, 6)
    group.ask(pilots, "three", n_jobs=3)
    group.ask(pilots, "one")
    group.ask(pilots, "more than there are", n_jobs=5)

    answers = group.answers()

    assert [given(one) for one in answers] == [jobs[:3], jobs[3:4], jobs[4:]]
    assert ClaimKey.objects.get(key="key.three").panda_ids == jobs[:3]
    assert sorted(AnswerDelta.objects.values_list("n", flat=True)) == [1, 2, 3]
    assert fsck.check() == []


def test_each_gets_what_fits_its_own_facts(site: Site, pilots: PilotAccount, group: Group):
    # given a head that only the second fits, and behind it what both fit
    large = activated(site, 20, min_ram_count=4000, current_priority=9)
    small = activated(site, 2, min_ram_count=100)
    group.ask(pilots, "small", memory_mb=200)
    group.ask(pilots, "large", memory_mb=4000)
    group.ask(pilots, "small too", memory_mb=200)
    group.ask(pilots, "nothing", memory_mb=10)

    answers = group.answers()

    assert [given(one) for one in answers] == [small[:1], large[:1], small[1:], []]
    assert answers[3].reason == "no_job"


def test_an_answer_is_told_again_beside_new_ones(site: Site, pilots: PilotAccount, group: Group):
    first, second, _ = activated(site, 3)
    before = claim(pilots, key="k", pilot_id="a")
    group.ask(pilots, "a", key="k")
    group.ask(pilots, "b", key="k2")
    group.ask(pilots, "c", key="k3")

    again, fresh, third = group.answers()

    assert again.replayed
    assert (given(again), again.jobs[0]["lease_token"]) == ([first], before.lease_token)
    assert given(fresh) == [second]
    assert len(third.jobs) == 1
    assert Pilot.objects.get(pilot_id="a").claims == 1


def test_refusals_have_the_words_of_their_own(site: Site, pilots: PilotAccount, group: Group):
    shut = create_pilot_account(create_site("MWT2_UC", status="offline", status_reason="no power"))
    BannedNode.objects.create(site=site, node="bad", reason="it eats jobs", at=NOW)
    jobs = activated(site, 2)
    activated(shut.site, 1)
    claim(pilots, key="used", body="another")
    group.ask(shut, "a")
    group.ask(pilots, "b", node="bad")
    group.ask(pilots, "c", token="0" * 128)
    group.ask(pilots, "d", key="used")
    group.ask(pilots, "e")

    offline, banned, stranger, used, good = group.answers()

    assert (offline.reason, offline.message) == ("site_offline", "MWT2_UC is offline: no power")
    assert (banned.reason, banned.message) == ("node_banned", "bad is banned: it eats jobs")
    assert type(stranger).__name__ == "TokenGone"
    assert used.code == "key_reused"
    assert given(good) == jobs[1:]
    assert {*Pilot.objects.values_list("pilot_id", flat=True)} == {"pilot1", "a", "b", "e"}


def test_two_claims_of_one_pilot_are_no_group(site: Site, pilots: PilotAccount, group: Group):
    activated(site, 2)
    group.ask(pilots, "a", key="1")
    group.ask(pilots, "a", key="2")

    with pytest.raises(DatabaseError, match="two claims of one pilot"), transaction.atomic():
        group.answers()

    assert not Job.objects.filter(state="sent").exists()
