"""Tags: made once, never changed, and what they say goes into the requests that name them."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import IntegrityError, transaction

from jobs import tags
from jobs.models import Tag
from jobs.tasks_engine.spec import spec_from
from pandasite.base.errors import BadInput, Conflict, NotAllowed
from pandasite.base.models import AuditLine
from tests.builders import NOW, create_transformation, create_user, create_vo
from tests.tasks_engine.requests import evgen, registered

pytestmark = pytest.mark.django_db
E1 = {"name": "e1", "transformation": "evgen.py", "job_parameters": "--seed ${N} ${OUTPUT0}"}


def manager() -> Any:
    user = create_user("carol")
    user.user_permissions.add(*Permission.objects.filter(codename__in=["add_tag", "delete_tag"]))
    return user


def made(**facts: Any) -> Tag:
    return tags.make(E1 | facts, user=manager(), reason="mc09", now=NOW)


def tagged(**fields: Any) -> dict[str, Any]:
    """A request that leaves to its tag what the tag says."""
    request = evgen(tag="e1") | fields
    return {k: v for k, v in request.items() if k in fields or k not in tags.FACTS}


def test_a_tag_is_made_with_an_audit_line_and_the_same_again_is_the_same():
    assert made() == made(description="other words")

    line = AuditLine.objects.get()
    assert (line.action, line.subject, line.reason) == ("tag_make", "tag e1", "mc09")


def test_a_name_that_stands_for_something_else_is_taken():
    made()

    with pytest.raises(Conflict, match="other facts"):
        made(transformation="simul.py")


def test_what_is_wrong_with_a_tag_is_named():
    create_transformation("evgen.py")

    with pytest.raises(BadInput) as told:
        made(name="a b", transformation="")
    with pytest.raises(BadInput) as more:
        made(transformation="evgn.py", job_parameters="${NOPE}")

    assert {fault["field"] for fault in told.value.fields} == {"name", "transformation"}
    assert {fault["code"] for fault in more.value.fields} == {"unknown_name", "unknown_placeholder"}


def test_who_has_no_right_makes_and_removes_none():
    tag = made()

    with pytest.raises(NotAllowed):
        tags.make(E1, user=create_user("bob"), reason="r", now=NOW)
    with pytest.raises(NotAllowed):
        tags.remove(tag, user=create_user("bob"), reason="r", now=NOW)


def test_a_request_takes_from_its_tag_what_it_leaves_out():
    create_vo()
    made(atlas_release="")

    spec = spec_from(tagged(cmt_config="x86_64"), owner=create_user().username)

    assert spec.transformation == "evgen.py"
    assert spec.job_parameters == E1["job_parameters"]
    assert spec.cmt_config == "x86_64"  # the tag leaves it open


def test_a_request_that_says_something_else_than_its_tag_is_refused():
    create_vo()
    made()

    with pytest.raises(BadInput) as told:
        spec_from(tagged(transformation="simul.py"), owner=create_user().username)

    assert [fault["field"] for fault in told.value.fields] == ["transformation"]
    assert told.value.code == "not_of_tag"


def test_a_name_that_is_no_tag_is_a_label_and_no_tag_gets_that_name_later():
    registered(evgen(tag="e1"))

    with pytest.raises(Conflict, match="as a label already"):
        made()


def test_the_database_refuses_to_change_a_tag():
    tag = made()

    with pytest.raises(IntegrityError, match="frozen"), transaction.atomic():
        Tag.objects.filter(pk=tag.pk).update(job_parameters="--seed 1")
    Tag.objects.filter(pk=tag.pk).update(description="other words")


def test_a_tag_is_removed_until_a_task_has_used_it():
    # given
    tag = made()
    tags.remove(tag, user=manager(), reason="a typing error", now=NOW)
    assert not Tag.objects.exists()
    # when
    tag = made()
    registered(tagged())
    # then
    assert tags.used(["e1", "e2"]) == {"e1"}
    with pytest.raises(Conflict, match="it stays"):
        tags.remove(tag, user=manager(), reason="r", now=NOW)
    assert Tag.objects.exists()
