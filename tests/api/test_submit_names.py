"""POST /rest/v1/jobs: the names in it, and what its sender may do."""

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from jobs.api.names import HINTS
from jobs.models import Job, Transformation
from tests.api.calls import person, problem
from tests.api.test_submit import job, submit
from tests.builders import (
    create_cloud,
    create_site,
    create_transformation,
    create_user,
    create_vo,
    install,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def atlas(db):
    return create_vo("atlas")


# -- names -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "wrong", "close"),
    [
        ("vo", "attlas", "atlas"),
        ("cloud", "UK", None),
        ("site", "AGLT3", "AGLT2"),
        ("destination_se", "AGLT2_DISC", "AGLT2_DISK"),
        ("atlas_release", "Atlas-14.5.1", "Atlas-14.5.0"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(name, wrong, close):
    install(create_site("AGLT2", cloud=create_cloud("US")), "Atlas-14.5.0", "x86_64-slc5")

    refused = problem(submit(job(**{name: wrong})), 400, "unknown_name")

    (fault,) = refused["fields"]
    assert fault["field"] == f"jobs[0].{name}"
    assert fault["limit"]["close"] == ([close] if close else [])
    assert close is None or close in refused["message"]


def test_an_unknown_transformation_is_answered_with_the_nearest():
    for name in ("evgen.py", "merge.py", "share/*"):
        create_transformation(name)

    assert submit(job(1), job(2, transformation="share/tools/plot")).status_code == 201
    refused = problem(submit(job(3), job(4, transformation="evgem.py")), 400, "unknown_name")

    (fault,) = refused["fields"]
    assert fault["field"] == "jobs[1].transformation"
    assert fault["limit"]["close"][0] == "evgen.py"
    assert "evgen.py" in fault["message"]


def test_without_a_catalogue_any_transformation_is_taken():
    assert submit(job(transformation="anything.py")).status_code == 201


@pytest.mark.parametrize(
    "name", ["share", "sharex/a", "*", "share/*/x", "EVGEN.PY", "evgen.py.bak"]
)
def test_a_pattern_ends_in_a_star_and_a_name_is_whole(name):
    create_transformation("evgen.py")
    create_transformation("share/*")

    answer = submit(job(transformation=name))

    assert answer.status_code == (201 if name.startswith("share/") else 400)


@pytest.mark.parametrize("name", ["*", "*.py", "a*b", "a**", "", "a b", "a\n"])
def test_a_pattern_has_its_star_at_the_end(name):
    with pytest.raises(ValidationError):
        Transformation(name=name).full_clean()
    with pytest.raises(IntegrityError), transaction.atomic():
        create_transformation(name)


def test_a_thousand_wrong_names_are_answered_soon_and_the_first_with_a_hint(
    django_assert_max_num_queries,
):
    for n in range(500):
        create_transformation(f"production/evgen_{n:04d}.py")
    wrong = [
        job(n, transformation=f"production/evgem_{n:04d}.py", vo="atlass") for n in range(1000)
    ]
    alice = person()

    with django_assert_max_num_queries(20):
        refused = problem(submit(*wrong, who=alice), 400, "unknown_name")

    assert len(refused["fields"]) == 1000
    with_hint = [one for one in refused["fields"] if one["limit"]["close"]]
    # the VO is one wrong name, however often it is given
    assert len({one["message"].split()[1] for one in with_hint}) == HINTS


def test_a_site_belongs_to_its_cloud():
    create_site("AGLT2", cloud=create_cloud("US"))
    create_cloud("FR")

    refused = problem(submit(job(site="AGLT2", cloud="FR")), 400, "wrong_cloud")
    assert refused["fields"][0]["field"] == "jobs[0].site"


def test_names_that_are_right_are_taken():
    site = create_site("AGLT2", cloud=create_cloud("US"))
    install(site, "Atlas-14.5.0", "x86_64-slc5")

    answer = submit(
        job(
            site="AGLT2", cloud="US", destination_se="AGLT2_DISK", atlas_release="Atlas-14.5.0",
            task="hist-1",
        )
    )  # fmt: skip

    assert answer.status_code == 201
    made = Job.objects.get()
    assert (made.computing_site, made.task.name) == (site, "hist-1")


@pytest.mark.parametrize("name", ["cloud", "site", "destination_se", "job_definition_id"])
def test_null_leaves_the_choice_to_the_server(name):
    assert submit(job(**{name: None})).status_code == 201


# -- rights ------------------------------------------------------------------------------------


def test_a_user_stays_below_the_cap():
    assert submit(job(1, assigned_priority=1000)).status_code == 201
    refused = problem(submit(job(2), job(3, assigned_priority=1001)), 403, "priority_cap")

    assert refused["fields"] == [
        {
            "field": "jobs[1].assigned_priority", "code": "priority_cap",
            "message": refused["message"], "limit": {"max": 1000},
        }
    ]  # fmt: skip


def test_a_user_submits_no_production():
    refused = problem(submit(job(1), job(2, prod_source_label="managed")), 403, "label_not_allowed")

    (fault,) = refused["fields"]
    assert fault["field"] == "jobs[1].prod_source_label"
    assert fault["limit"] == {"values": ["user", "panda"]}


def test_a_user_submits_for_no_group_but_their_own():
    create_user().groups.add(Group.objects.create(name="higgs"))

    assert submit(job(1, working_group="higgs")).status_code == 201
    refused = problem(submit(job(2), job(3, working_group="susy")), 403, "group_not_allowed")

    (fault,) = refused["fields"]
    assert fault["field"] == "jobs[1].working_group"
    assert fault["limit"] == {"values": ["higgs"]}
    assert "higgs" in fault["message"]


def test_a_production_manager_submits_for_any_group():
    who = person("prod", production=True)

    assert submit(job(working_group="susy"), who=who).status_code == 201


def test_a_production_manager_submits_production_at_any_priority():
    who = person("prod", production=True)

    answer = submit(job(prod_source_label="managed", assigned_priority=5000), who=who)

    assert answer.status_code == 201
