"""A machine that lives random lives of jobs, and knows after every step what must hold.

It has one rule with weights, since rules of equal chance rarely bring a job to its end. The
number of a step makes all its choices.

Over 300 lines, for the moves and what must hold after them share the machine's own books: a reader
wants to see both beside each other.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from brokerage.models import Site
from datasets import bulk, taking
from datasets import services as data
from datasets.models import File, Transfer
from jobs import (
    activate,
    archive,
    arrival,
    assign,
    closing,
    counts,
    fsck,
    register,
    services,
    wake,
    watch,
)
from jobs.models import AnyJob, AnyJobFile, Job, JobFile, Node, Pulse
from jobs.states import FINAL, LEASED, MOVES, QUEUED, JobState
from jobs.submit import FileSpec, JobSpec, submit
from pandasite.base.errors import Conflict
from tests.builders import (
    NOW,
    create_file,
    create_pilot,
    create_pilot_account,
    create_site,
    create_storage,
    create_user,
    create_vo,
)
from tests.jobs.asking import Dice, claim, made, say, unchanged

WORDS = ("starting", "running", "running", "finished", "finished", "failed")
MINUTES = (1, 20, 45, 150, 150, 1500)
SWEEPS: tuple[Callable[[dt.datetime], int], ...] = (
    wake.run, assign.run, activate.run, register.run, arrival.run, closing.close_datasets,
    lambda _now: counts.fold(), archive.run,
)  # fmt: skip


NUMBER = st.integers(0, 2**24)
# Each action with its weight.
WEIGHTS = (
    ("submit", 2), ("an_input_appears", 1), ("kill", 1), ("claim", 6), ("speak", 8),
    ("claim_again_with_an_old_key", 1), ("repeat_the_last_word", 2), ("force", 1),
    ("speak_without_the_lease", 2), ("sweep", 5), ("everything_moves_on", 2),
    ("a_transfer_ends", 3), ("a_site_goes_off_or_on", 1),
    ("time_passes_and_the_watchdog_looks", 2),
)  # fmt: skip


@dataclass(eq=False)
class Lease:
    """What a pilot knows of a job it was given."""

    panda_id: int
    attempt_nr: int
    token: str
    account: Any
    key: str
    seq: int = 0
    word: str = ""  # its last accepted word


class Lives(RuleBasedStateMachine):
    """Each run is a history of its own, undone at its end."""

    def __init__(self) -> None:
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.now, self.serial, self.steps = NOW, 0, 0
        self.home = create_storage("HOME")
        self.sites = [create_site(name) for name in ("AGLT2", "MWT2")]
        self.accounts = [create_pilot_account(site) for site in self.sites]
        self.owned: dict[int, Lease] = {}  # the leases that hold, by PandaID
        self.gone: list[Lease] = []  # leases that ended or were taken away
        self.ended: dict[int, str] = {}  # final states, as first seen
        self.killed: set[int] = set()
        for site in self.sites:
            create_pilot(site)
        for number in (0, 3, 5):
            self.submit(Dice(number))
        self.everything_moves_on(Dice(0))

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    # -- the submitter ---------------------------------------------------------------------

    def submit(self, dice: Dice) -> None:
        """A job whose input is needed or not, known or not, and whose output travels or not."""
        self.serial += 1
        source = dice.of(("none", "known", "known", "unknown"))
        event, result = f"EVNT.{self.serial}", f"HIST.{self.serial}"
        if source == "known":
            create_file(event, at=[self.home])
        named = [FileSpec(scope="mc09", lfn=event, dataset="mc09.EVNT")]
        spec = JobSpec(
            fields={
                "job_name": f"job{self.serial}",
                "transformation": "evgen.py",
                "assigned_priority": 100,
                "max_attempt": dice.of((2, 3, 1)),
                "prod_source_label": dice.of(("managed", "managed", "user")),
            },
            vo=create_vo(),
            destination_se=dice.of((self.home, None)),
            input_files=named if source != "none" else [],
            output_files=[FileSpec(scope="mc09", lfn=result, dataset="mc09.HIST")],
        )
        submit(owner=create_user(), specs=[spec], key="", body_sha256="", now=self.now)

    def an_input_appears(self, dice: Dice) -> None:
        wanted = JobFile.objects.filter(job__state="waiting", type="input", file=None)
        made_already = set(File.objects.values_list("lfn", flat=True))
        missing = sorted(set(wanted.values_list("lfn", flat=True)) - made_already)
        if missing:
            create_file(dice.of(missing), at=[self.home])

    def kill(self, dice: Dice) -> None:
        job = dice.of(AnyJob.objects.order_by("pk"))
        try:
            state = services.kill(job.pk, actor="alice", reason="wrong seed", now=self.now)
        except Conflict:
            assert job.state in (*FINAL, "holding", "transferring")
        else:
            assert (state == "cancelled") != (job.pk in self.owned)
            self.killed.add(job.pk)

    # -- pilots ----------------------------------------------------------------------------

    def claim(self, dice: Dice) -> None:
        account, self.serial = dice.of(self.accounts), self.serial + 1
        claimed = claim(account, key=f"key{self.serial}", now=self.now)
        job = claimed.job
        if job is None:
            return
        assert job.pk not in self.owned, "given to two pilots"
        assert job.pk not in self.ended.keys() | self.killed
        assert 1 <= job.attempt_nr <= job.max_attempt
        key = f"key{self.serial}"
        self.owned[job.pk] = Lease(job.pk, job.attempt_nr, claimed.lease_token, account, key)

    def claim_again_with_an_old_key(self, dice: Dice) -> None:
        if not (leases := [*self.owned.values(), *self.gone]):
            return
        lease = dice.of(leases)
        again = claim(lease.account, key=lease.key, now=self.now)
        if self.owned.get(lease.panda_id) is lease:
            assert again.job is not None
            assert (again.job.pk, again.lease_token) == (lease.panda_id, lease.token)
        else:
            assert (again.job, again.reason) == (None, "claim_expired")

    def speak(self, dice: Dice) -> None:
        if not self.owned:
            return
        lease, word = dice.of(list(self.owned.values())), dice.of(WORDS)
        lease.seq, lease.word = lease.seq + 1, word
        answer = self._say(lease, word, lease.seq)
        assert not answer.replayed
        if lease.panda_id in self.killed:
            assert (answer.command, answer.state) == ("tobekilled", "cancelled")
        elif word in ("finished", "failed"):
            assert (answer.command, answer.state) == (None, "holding")
        else:
            assert (answer.command, answer.state) == (None, answer.state)
        if answer.state not in LEASED:
            self.gone.append(self.owned.pop(lease.panda_id))

    def repeat_the_last_word(self, dice: Dice) -> None:
        leases = [one for one in (*self.owned.values(), *self.gone) if one.word]
        if not leases:
            return
        lease = dice.of(leases)
        with unchanged(lease.panda_id):
            try:
                assert self._say(lease, lease.word, lease.seq).replayed
            except Conflict as refusal:
                assert self.owned.get(lease.panda_id) is not lease
                assert refusal.code in ("stale_lease", "stale_attempt")

    def speak_without_the_lease(self, dice: Dice) -> None:
        if not self.gone:
            return
        lease = dice.of(self.gone)
        with unchanged(lease.panda_id):
            try:
                assert self._say(lease, dice.of(WORDS), lease.seq + 1).replayed
            except Conflict:
                pass  # stale, final already, or another final word: each is tested by its name

    def _say(self, lease: Lease, word: str, seq: int) -> Any:
        files = AnyJobFile.objects.filter(job=lease.panda_id, type="output")
        return say(
            lease.account,
            lease.panda_id,
            word,
            attempt_nr=lease.attempt_nr,
            lease_token=lease.token,
            seq=seq,
            now=self.now,
            output_files=made(*(f.lfn for f in files)) if word == "finished" else (),
        )

    # -- the sweeps ------------------------------------------------------------------------

    def sweep(self, dice: Dice) -> None:
        dice.of(SWEEPS)(self.now)

    def everything_moves_on(self, _dice: Dice) -> None:
        for sweep in SWEEPS[:3]:
            sweep(self.now)
        for transfer in Transfer.objects.filter(state="queued"):
            self._copy(transfer)
        for sweep in SWEEPS[2:]:
            sweep(self.now)

    def a_transfer_ends(self, dice: Dice) -> None:
        if not (queued := list(Transfer.objects.filter(state="queued").order_by("pk"))):
            return
        transfer, end = dice.of(queued), dice.of(("good", "good", "bad", "hopeless"))
        if end == "good":
            self._copy(transfer)
        elif bunch := taking.take_one(transfer.pk, now=self.now):
            hopeless = end == "hopeless"
            [taken] = bunch.transfers
            data.retry_or_fail_transfer(taken, "broken", permanent=hopeless, now=self.now)

    def _copy(self, transfer: Transfer) -> None:
        bunch = taking.take_one(transfer.pk, now=self.now)
        assert bunch is not None
        [taken] = bunch.transfers
        bulk.finish([bulk.Arrived(transfer=taken, source=self.home, size=10)], now=self.now)

    def a_site_goes_off_or_on(self, dice: Dice) -> None:
        account = dice.of(self.accounts)
        account.site.status = dice.of(("online", "online", "offline"))
        Site.objects.filter(pk=account.site.pk).update(status=account.site.status)

    def time_passes_and_the_watchdog_looks(self, dice: Dice) -> None:
        self.now += dt.timedelta(minutes=dice.of(MINUTES))
        Node.objects.update(last_claim=self.now)
        until = dict(Pulse.objects.values_list("pk", "lease_until"))
        watch.run(self.now)
        kept = set(Job.objects.filter(state__in=LEASED).values_list("pk", flat=True))
        for pk, lease_until in until.items():
            silent_s = (self.now - lease_until).total_seconds()
            assert silent_s <= 60 if pk in kept else silent_s > 0
            if pk not in kept:
                self.gone.append(self.owned.pop(pk))

    # -- what must not work ----------------------------------------------------------------

    def force(self, dice: Dice) -> None:
        if not (jobs := Job.objects.order_by("pk")):
            return
        job, to = dice.of(jobs), dice.of(list(JobState))
        if to in MOVES[JobState(job.state)] or to == job.state:
            return
        assert services.move(Job.objects.filter(pk=job.pk), to, actor="x", now=self.now) == []
        try:
            with transaction.atomic():
                Job.objects.filter(pk=job.pk).update(state=to)
        except IntegrityError:
            return
        raise AssertionError(f"the database let {job.state} become {to}")

    # -- one step, and what always holds ---------------------------------------------------

    @rule(name=st.sampled_from([n for n, weight in WEIGHTS for _ in range(weight)]), number=NUMBER)
    def step(self, name: str, number: int) -> None:
        getattr(self, name)(Dice(number))

    @invariant()
    def the_books_agree(self) -> None:
        self.steps += 1
        if self.steps % 5 == 0:  # the dearest question
            assert fsck.check() == []

    @invariant()
    def every_job_has_one_owner_or_none_and_an_end_is_an_end(self) -> None:
        states = dict(AnyJob.objects.values_list("pk", "state"))
        assert {pk for pk, state in states.items() if state in LEASED} == set(self.owned)
        assert {pk: states.get(pk) for pk in self.ended} == self.ended
        self.ended = {pk: state for pk, state in states.items() if state in FINAL}

    @invariant()
    def every_successor_follows_a_failure_and_has_attempts_left(self) -> None:
        for job in AnyJob.objects.exclude(retry_of=None):
            assert self.ended[job.retry_of or 0] == "failed"
            assert job.attempt_nr < job.max_attempt or job.state not in QUEUED
