"""`fsck --counts` is right at every moment, whatever goes on meanwhile."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from jobs import archive, counts, services
from jobs.models import AnyJob, Job, JobCount
from jobs.states import FINAL
from tests.builders import NOW, after, create_job, create_site
from tests.jobs.shelves import forget_archive

ROUNDS = 25


@contextmanager
def going_on(*deeds: Callable[[], object]) -> Iterator[None]:
    """Each deed again and again in a thread of its own, until the end; its errors are raised."""
    over = Event()

    def again(deed: Callable[[], object]) -> None:
        try:
            while not over.is_set():
                deed()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(deeds)) as pool:
        running = [pool.submit(again, deed) for deed in deeds]
        try:
            yield
        finally:
            over.set()
        for one in running:
            one.result()


@pytest.fixture
def archive_after(transactional_db: None) -> Iterator[None]:
    """An archive that is empty again behind the test."""
    yield
    forget_archive()


def test_the_counts_agree_with_the_jobs_while_jobs_are_born_moved_and_put_away(
    archive_after, capsys
):
    # given
    site = create_site()
    old = create_job("waiting", site=site)
    born = Job(
        job_name="born", prod_source_label="managed", transformation="evgen.py", vo=old.vo,
        owner=old.owner, state="waiting", creation_time=NOW, queued_since=NOW,
        state_change_time=NOW, modification_time=NOW,
    )  # fmt: skip

    def submit() -> None:
        born.pk = None
        Job.objects.bulk_create([born])
        born.pk = None
        job = create_job("waiting", vo=old.vo, owner=old.owner)
        services.wake([job.pk], now=NOW)

    def put_away() -> None:
        create_job("finished", site=site, vo=old.vo, owner=old.owner)
        for state in FINAL:
            archive.move(state, before=after(hours=1), most=5)

    # when
    with going_on(submit, put_away, counts.fold):
        for _ in range(ROUNDS):
            call_command("fsck", "--counts")
    # then
    assert capsys.readouterr().out == "0 differences\n" * ROUNDS
    assert AnyJob.objects.filter(state="defined").exists()
    assert AnyJob.objects.filter(state="finished").exists()


@pytest.mark.django_db
def test_a_wrong_count_is_told_with_both_numbers(capsys):
    site = create_site()
    create_job("running", site=site)
    counts.fold()
    JobCount.objects.update(n=3)

    with pytest.raises(CommandError, match="do not agree"):
        call_command("fsck", "--counts")

    said = capsys.readouterr().out
    where = f"cloud {site.cloud_id} site {site.pk} managed running"
    assert said == f"{where}: counted 3, found 1\n1 differences\n"


@pytest.mark.django_db
def test_only_the_counts_are_looked_at(capsys):
    create_job("defined").events.all().delete()

    call_command("fsck", "--counts")

    assert capsys.readouterr().out == "0 differences\n"
