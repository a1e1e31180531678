"""Submission: all jobs or none, once per key, with their tasks, datasets and files."""

from threading import Thread

import pytest
from django.db import connections, transaction

from datasets.models import Dataset
from jobs import fsck
from jobs.models import Job, JobFile, SubmitKey, Task
from jobs.submit import FileSpec, JobSpec, submit
from pandasite.base.errors import Unprocessable
from tests.builders import (
    NOW,
    after,
    create_cloud,
    create_dataset,
    create_file,
    create_job,
    create_site,
    create_storage,
    create_user,
    create_vo,
)

pytestmark = pytest.mark.django_db


def spec(*, inputs=(), outputs=(), task="", **more):
    """A job as the door hands it over; files as (lfn, dataset)."""
    rows = {k: more.pop(k) for k in ("cloud", "site", "destination_se") if k in more}
    fields = {
        "job_name": "evgen.1", "prod_source_label": "managed", "transformation": "evgen.py",
        "assigned_priority": 100, **more,
    }  # fmt: skip
    return JobSpec(
        fields=fields,
        vo=create_vo(),
        task=task,
        input_files=[FileSpec(scope="mc09", lfn=lfn, dataset=ds) for lfn, ds in inputs],
        output_files=[FileSpec(scope="mc09", lfn=lfn, dataset=ds) for lfn, ds in outputs],
        **rows,
    )


def send(*specs, owner=None, key="", body="body", now=NOW):
    return submit(owner=owner or create_user(), specs=specs, key=key, body_sha256=body, now=now)


def only():
    return Job.objects.get()


# -- what is made ------------------------------------------------------------------------------


def test_a_submitted_job_is_defined_with_an_event_of_its_birth():
    submitted = send(spec(assigned_priority=300, job_definition_id=5))

    job = only()
    assert submitted.panda_ids == [job.pk]
    assert (job.state, job.attempt_nr, job.creation_time) == ("defined", 0, NOW)
    assert (job.assigned_priority, job.current_priority, job.job_definition_id) == (300, 300, 5)
    assert (job.owner.username, job.prod_user_id) == ("alice", "alice")
    event = job.events.get()
    assert (event.from_state, event.to_state, event.actor) == ("", "defined", "alice")
    assert fsck.check() == []


def test_panda_ids_come_in_the_order_of_the_submission():
    submitted = send(*(spec(job_name=f"j{n}") for n in range(5)))

    names = dict(Job.objects.values_list("pk", "job_name"))
    assert [names[pk] for pk in submitted.panda_ids] == [f"j{n}" for n in range(5)]


def test_a_site_that_was_named_is_fixed_and_brings_its_cloud():
    site = create_site(cloud=create_cloud("FR"))

    send(spec(site=site))

    assert (only().computing_site, only().site_fixed) == (site, True)
    assert (only().cloud, only().cloud_fixed) == (site.cloud, False)


def test_a_cloud_that_was_named_is_fixed():
    send(spec(cloud=create_cloud("CA")))

    assert (only().cloud.name, only().cloud_fixed, only().site_fixed) == ("CA", True, False)


def test_a_job_whose_input_is_known_is_defined():
    file = create_file("EVNT.1", at=[create_storage()])

    send(spec(inputs=[("EVNT.1", "mc09.EVNT")]))

    assert only().state == "defined"
    assert only().files.get().file == file
    assert only().prod_d_block == "mc09.EVNT"


@pytest.mark.parametrize("state", [None, "bad"])
def test_a_job_whose_input_is_nowhere_to_be_read_waits(state):
    file = create_file("EVNT.1")
    if state:
        file.replicas.create(storage=create_storage(), state=state, created_at=NOW)

    send(spec(inputs=[("EVNT.1", "")]))

    assert only().state == "waiting"


def test_an_input_is_known_by_scope_and_name():
    create_file("EVNT.1", scope="mc08", at=[create_storage()])

    send(spec(inputs=[("EVNT.1", "")]))

    assert only().state == "waiting"


def test_destination_datasets_are_made_and_input_datasets_are_made_empty():
    send(spec(inputs=[("EVNT.1", "mc09.EVNT")], outputs=[("HIST.1", "mc09.HIST")]))

    types = dict(Dataset.objects.values_list("name", "type"))
    assert types == {"mc09.EVNT": "input", "mc09.HIST": "destination"}
    assert only().destination_d_block == "mc09.HIST"
    made = Dataset.objects.get(name="mc09.HIST")
    assert not made.files.exists()
    assert made.owner == only().owner and Dataset.objects.get(name="mc09.EVNT").owner is None


def test_a_dataset_that_was_named_as_input_first_becomes_a_destination():
    send(spec(inputs=[("EVNT.1", "mc09.EVNT")]))

    send(spec(outputs=[("EVNT.1", "mc09.EVNT")]))

    assert Dataset.objects.get().type == "destination"


def test_a_dataset_that_jobs_only_read_keeps_its_type():
    create_dataset("mc09.EVNT", type="destination")

    send(spec(inputs=[("EVNT.1", "mc09.EVNT")]))

    assert Dataset.objects.get().type == "destination"


def test_a_dataset_that_exists_is_used():
    dataset = create_dataset("mc09.HIST", type="destination")

    send(spec(outputs=[("HIST.1", "mc09.HIST")]))

    assert JobFile.objects.get().dataset == dataset


def test_jobs_of_one_task_share_it_and_its_name_is_its_owners():
    send(spec(task="evgen-1"), spec(task="evgen-1"))
    send(spec(task="evgen-1"))
    send(spec(task="evgen-1"), owner=create_user("bob"))

    assert Task.objects.count() == 2
    assert Task.objects.get(owner__username="alice").jobs.count() == 3


def test_task_ids_begin_where_other_clients_end():
    send(spec(task="evgen-1"))

    assert Task.objects.get().task_id >= 10_000_001


def test_a_task_may_be_named_by_its_id():
    send(spec(task="evgen-1"))
    task = Task.objects.get()

    send(spec(task=str(task.task_id)))

    assert task.jobs.count() == 2
    assert Task.objects.count() == 1


# -- what cannot be right ----------------------------------------------------------------------


def test_an_output_that_is_in_the_catalogue_is_refused():
    create_file("HIST.1")

    with pytest.raises(Unprocessable) as refusal:
        send(spec(), spec(outputs=[("HIST.1", "")]))

    assert refusal.value.code == "lfn_exists"
    assert refusal.value.fields[0]["field"] == "jobs[1].output_files[0].lfn"
    assert not Job.objects.exists()


def test_an_output_that_a_live_job_is_making_is_refused():
    create_job("running", outputs=["HIST.1"])

    with pytest.raises(Unprocessable) as refusal:
        send(spec(outputs=[("HIST.1", "")]))

    assert refusal.value.code == "lfn_exists"


def test_an_output_that_no_job_ever_made_may_be_tried_again():
    create_job("failed", outputs=["HIST.1"])

    assert len(send(spec(outputs=[("HIST.1", "")])).panda_ids) == 1


@pytest.mark.parametrize(
    "columns", [{"state": "frozen"}, {"state": "completed"}, {"type": "dispatch"}, {"type": "sub"}]
)
def test_output_goes_into_open_datasets_that_belong_to_users(columns):
    create_dataset("mc09.HIST", **columns)

    with pytest.raises(Unprocessable) as refusal:
        send(spec(outputs=[("HIST.1", "mc09.HIST")]))

    assert refusal.value.code == "dataset_closed"
    assert refusal.value.fields[0]["field"] == "jobs[0].output_files[0].dataset"


# -- once per key ------------------------------------------------------------------------------


def test_a_repeated_key_answers_with_the_jobs_of_the_first_time():
    first = send(spec(outputs=[("HIST.1", "")]), key="k")
    second = send(spec(outputs=[("HIST.1", "")]), key="k", now=after(hours=1))

    assert second.panda_ids == first.panda_ids
    assert (first.replayed, second.replayed) == (False, True)
    assert Job.objects.count() == 1


def test_a_key_with_another_body_is_refused():
    send(spec(), key="k", body="one")

    with pytest.raises(Unprocessable) as refusal:
        send(spec(), key="k", body="two")

    assert refusal.value.code == "key_reused"
    assert Job.objects.count() == 1


def test_keys_of_different_users_do_not_meet():
    send(spec(), key="k")
    send(spec(), key="k", owner=create_user("bob"))

    assert Job.objects.count() == 2


def test_a_refused_submission_leaves_its_key_free():
    file = create_file("HIST.1")
    with pytest.raises(Unprocessable):
        send(spec(outputs=[("HIST.1", "")]), key="k")
    file.delete()

    send(spec(outputs=[("HIST.1", "")]), key="k")

    assert SubmitKey.objects.get().panda_ids == [only().pk]


def test_without_a_key_every_submission_is_a_new_one():
    send(spec())
    send(spec())

    assert Job.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_the_same_submission_twice_at_once_makes_one_set_of_jobs():
    owner, vo_spec, answers = create_user(), spec(), []

    def again():
        answers.append(send(vo_spec, owner=owner, key="k"))
        connections.close_all()

    with transaction.atomic():
        first = send(vo_spec, owner=owner, key="k")
        thread = Thread(target=again)
        thread.start()
    thread.join(60)

    assert answers[0].panda_ids == first.panda_ids
    assert answers[0].replayed
    assert Job.objects.count() == 1
