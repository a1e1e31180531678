"""Tags: made, removed while nobody has used them, and filled into the requests that name them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from rest_framework.exceptions import ValidationError

from jobs.api.names import Names
from jobs.models import Tag, Task
from jobs.tasks_engine.body import INPUTS_MAX, OUTPUTS_MAX, PARAMETERS_MAX
from jobs.tasks_engine.faults import placeholders, unknown_name
from pandasite.base import audit
from pandasite.base import serializers as strict
from pandasite.base.errors import BadInput, Conflict, NotAllowed, field_error
from pandasite.base.problems import problem_of

# What a tag says of a task; what it leaves empty, each request says itself.
FACTS = ("transformation", "atlas_release", "cmt_config", "homepackage", "job_parameters")
MAKE, REMOVE = "jobs.add_tag", "jobs.delete_tag"
COUNTS = {"OUTPUT": OUTPUTS_MAX, "SECONDARY": INPUTS_MAX}  # as many as a task may have


class TagNameField(strict.NameField):
    """The name of a tag: one word."""

    pattern = strict.LfnField.pattern
    words = "letters, digits and . _ + - that start with a letter or digit"
    code = "bad_tag"
    longest = 64


class TagBody(strict.StrictSerializer):
    """A new tag."""

    name = TagNameField()
    transformation = strict.StrictCharField(max_length=255)
    atlas_release = strict.StrictCharField(max_length=64, allow_blank=True, default="")
    cmt_config = strict.StrictCharField(max_length=64, allow_blank=True, default="")
    homepackage = strict.StrictCharField(max_length=80, allow_blank=True, default="")
    job_parameters = strict.StrictCharField(
        max_length=PARAMETERS_MAX, multiline=True, allow_blank=True, default=""
    )
    description = strict.StrictCharField(max_length=255, allow_blank=True, default="")


def make(said: Mapping[str, Any], *, user: User, reason: str, now: dt.datetime) -> Tag:
    """A new tag; BadInput names each wrong field, Conflict says that the name is taken.

    The same again is the same tag.
    """
    if not user.has_perm(MAKE):
        raise NotAllowed(f"this needs the permission {MAKE}; production managers have it")
    facts = _checked(said)
    there = Tag.objects.filter(name=facts["name"]).first()
    if there is not None:
        return _same(there, facts)
    if Task.objects.filter(tag=facts["name"]).exists():
        raise _taken(f"tasks have {facts['name']} as a label already: choose another name")
    try:
        with transaction.atomic():
            tag = Tag.objects.create(**facts, made_by=user.get_username(), created_at=now)
            told = {name: facts[name] for name in FACTS}
            audit.record(
                actor=user,
                action="tag_make",
                subject=f"tag {tag.name}",
                reason=reason,
                now=now,
                facts=told,
            )
    except IntegrityError:  # somebody was faster
        return _same(Tag.objects.get(name=facts["name"]), facts)
    return tag


def _checked(said: Mapping[str, Any]) -> dict[str, Any]:
    try:
        facts = dict(strict.validated(TagBody, dict(said)))
    except ValidationError as error:
        problem = problem_of(error)
        raise BadInput(
            problem.message, code=problem.code, fields=[*map(dict, problem.fields)]
        ) from error
    if faults := [*_faults(facts)]:
        raise BadInput(faults[0]["message"], code=faults[0]["code"], fields=faults)
    return facts


def _faults(facts: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    names = Names.of([dict(facts)])
    for column in ("transformation", "atlas_release"):
        name = facts[column]
        if name and name not in names.known[column]:
            yield unknown_name(column, name, names, column=column)
    yield from placeholders("job_parameters", facts["job_parameters"], COUNTS)


def _same(there: Tag, facts: Mapping[str, Any]) -> Tag:
    if all(getattr(there, name) == facts[name] for name in FACTS):
        return there
    raise _taken(f"there is a tag {there.name} with other facts: choose another name")


def _taken(words: str) -> Conflict:
    return Conflict(
        words, code="name_taken", fields=[field_error("name", words, code="name_taken")]
    )


def remove(tag: Tag, *, user: User, reason: str, now: dt.datetime) -> None:
    """Remove a tag that no task has used; Conflict when one has."""
    if not user.has_perm(REMOVE):
        raise NotAllowed(f"this needs the permission {REMOVE}; production managers have it")
    try:
        with transaction.atomic():
            Tag.objects.filter(pk=tag.pk).delete()
            audit.record(
                actor=user, action="tag_remove", subject=f"tag {tag.name}", reason=reason, now=now
            )
    except IntegrityError as error:
        raise Conflict(f"tag {tag.name} is used by tasks: it stays", code="in_use") from error


# -- in requests -----------------------------------------------------------------------------


def named_by(requests: Iterable[Mapping[str, Any]]) -> dict[str, Tag]:
    """The tags that these requests name, by one query; other names are but labels."""
    names = {said.get("tag") for said in requests if isinstance(said, Mapping)}
    wanted = [name for name in names if isinstance(name, str) and name and "\0" not in name]
    return {tag.name: tag for tag in Tag.objects.filter(name__in=wanted)} if wanted else {}


def filled(said: Mapping[str, Any], tags: Mapping[str, Tag]) -> Mapping[str, Any]:
    """The request with what its tag says of the fields that it leaves out."""
    tag = _of(said, tags)
    if tag is None:
        return said
    facts = {name: getattr(tag, name) for name in FACTS}
    return {**said, **{n: value for n, value in facts.items() if value and not said.get(n)}}


def contradictions(said: Mapping[str, Any], tags: Mapping[str, Tag]) -> Iterator[dict[str, Any]]:
    """Fields of a request that say something else than its tag."""
    tag = _of(said, tags)
    for name in FACTS if tag else ():
        kept = getattr(tag, name)
        if kept and said[name] != kept:
            words = f"{name} is not that of the tag {said['tag']}: {kept[:100]}"
            yield field_error(name, words, code="not_of_tag")


def _of(said: Mapping[str, Any], tags: Mapping[str, Tag]) -> Tag | None:
    name = said.get("tag")
    return tags.get(name) if isinstance(name, str) else None


def used(names: Sequence[str]) -> set[str]:
    """Those of the tags that a task has."""
    return set(Task.objects.filter(tag__in=names).values_list("tag", flat=True).distinct())
