"""Tags: the list, the page of one, the form for a new one, and its removal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse

from jobs import tags
from jobs.models import Tag, Task, Transformation
from monitor import columns, lists
from monitor.asking import fields
from monitor.errors.acting import Done, Order, action
from monitor.forms import deed
from monitor.lists import Field, ListPage
from monitor.pages import page, respond, wants_json
from monitor.params import Params
from monitor.sheets import Sheet, column
from pandasite.base.clock import database_now
from pandasite.base.errors import BadInput, Conflict, NotThere, Unprocessable

MOST = 5000  # tags of a list
TASKS_SHOWN = 50
FACTS = ("name", *tags.FACTS, "description")
HELP = {
    "name": "needed; a word such as e1234, that never stands for anything else",
    "homepackage": "where the transformation is; empty: each request says",
    "description": "what it is for",
}


def tag_url(record: Any) -> str:
    """The page of a tag."""
    return reverse("monitor:tag", args=[record.name])


class TagSheet(Sheet):
    """Tags, newest first."""

    name = columns.link("Tag", "its page", url=tag_url)
    transformation = column("Transformation", "the program that jobs run")
    atlas_release = column("Release", "empty: each request says")
    cmt_config = column("Platform", "cmtConfig; empty: each request says")
    job_parameters = column("Parameters", "empty: each request says", look="cut")
    description = column("Description", "what it is for", look="cut")
    made_by = column("Made by", "who")
    created_at = columns.time("Made (UTC)", "when")

    class Meta(Sheet.Meta):
        empty_text = "No tag fits. New Tag makes one."


@page
def tag_list(request: HttpRequest) -> HttpResponseBase:
    """All tags."""
    params = Params(request.GET, known=lists.known("name", "transformation"))
    rows, now = Tag.objects.all(), database_now()
    if name := params.text("name", longest=64):
        rows = rows.filter(name__startswith=name)
    if program := params.text("transformation"):
        rows = rows.filter(transformation=program)
    found = list(rows.order_by("-pk")[: MOST + 1])
    if len(found) > MOST:
        raise Unprocessable(f"more than {MOST:,} tags: narrow your search", code="too_many")
    shown = ListPage(
        name="tags",
        title="Tags",
        intro="A tag stands for a transformation, a release and parameters, for ever.",
        fields=[
            Field(name="name", title="Name begins", value=name),
            Field(
                name="transformation",
                title="Transformation",
                value=program,
                known=lists.names(Transformation),
            ),
        ],
        links=[("New Tag", reverse("monitor:tag_new"))],
    )
    return lists.respond(request, shown, TagSheet(found), params=params, now=now)


def _tag(name: str) -> Tag:
    found = Tag.objects.filter(name=name[:65]).first()
    if found is None:
        raise NotThere(f"there is no tag {name[:64]}")
    return found


@page
def tag(request: HttpRequest, name: str) -> HttpResponseBase:
    """A tag, and the tasks that have it."""
    Params(request.GET, known=("format",)).choice("format", ("html", "json"))
    one, now = _tag(name), database_now()
    tasks = list(Task.objects.filter(tag=one.name).order_by("-pk")[:TASKS_SHOWN])
    facts = _Facts(tag=one, tasks=tasks)
    if wants_json(request):
        return respond(request, "", data=facts.as_json(), context={}, now=now)
    context = {"tag": one, "facts": facts, "now": now, "most": TASKS_SHOWN}
    context["removable"] = not tasks and request.user.has_perm(tags.REMOVE)
    return render(request, "monitor/asking/tag.html", context)


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """What the page shows."""

    tag: Tag
    tasks: Sequence[Task]

    def as_json(self) -> dict[str, Any]:
        """The facts."""
        told = {name: getattr(self.tag, name) for name in FACTS}
        more = {"made_by": self.tag.made_by, "created_at": self.tag.created_at}
        tasks = [{"task_id": t.pk, "name": t.name, "state": t.state} for t in self.tasks]
        return told | more | {"tasks": tasks}


class TagForm(forms.Form):
    """A new tag; `tags.make` judges it."""

    def __init__(self, data: Any = None, *, initial: Any = None) -> None:
        super().__init__(data, initial=initial)
        for name in FACTS:
            self.fields[name] = self._field(name)
        self.fields["reason"] = fields.reason()

    @staticmethod
    def _field(name: str) -> forms.Field:
        if name in ("name", *HELP):
            return forms.CharField(
                label=name.capitalize(),
                help_text=HELP[name],
                required=False,
                max_length=255,
                widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
            )
        made = fields.FIELDS[name]()
        if name == "transformation":
            made.help_text = "needed: the program that the jobs run"
        return made


@page
def tag_new(request: HttpRequest) -> HttpResponseBase:
    """The form for a new tag."""
    params = Params(request.GET, known=("format", *FACTS))
    params.choice("format", ("html", "json"))
    start = {name: text for name, text in params.values.items() if name in FACTS}
    form = TagForm(initial=start)
    if wants_json(request):
        told = [{"name": n, "title": f.label, "help": f.help_text} for n, f in form.fields.items()]
        return respond(request, "", data={"fields": told}, context={}, now=database_now())
    return _form(request, form)


@deed
def tag_make(request: HttpRequest) -> HttpResponseBase:
    """Make it, and show it; or say beside each field what is wrong with it."""
    Params(request.POST, known=(*FACTS, "reason", "csrfmiddlewaretoken"))
    form = TagForm(request.POST)
    if not form.is_valid():
        return _form(request, form, status=400)
    said = {name: form.cleaned_data[name] for name in FACTS}
    reason = form.cleaned_data["reason"]
    if not reason:
        form.add_error("reason", "reason must be given: it is kept with your name")
        return _form(request, form, status=400)
    try:
        user: Any = request.user
        made = tags.make(said, user=user, reason=reason, now=database_now())
    except (BadInput, Conflict) as error:
        for fault in error.fields:
            form.add_error(fault["field"], fault["message"])
        return _form(request, form, status=409 if isinstance(error, Conflict) else 400)
    return redirect("monitor:tag", name=made.name)


def _form(request: HttpRequest, form: TagForm, *, status: int = 200) -> HttpResponseBase:
    form.fields["transformation"].widget.attrs["list"] = "known-transformation"
    context = {
        "form": form,
        "known": {"transformation": lists.names(Transformation)},
        "allowed": request.user.has_perm(tags.MAKE),
        "permission": tags.MAKE,
        "now": database_now(),
    }
    return render(request, "monitor/asking/newtag.html", context, status=status)


@action(tags.REMOVE, fields=("name",))
def tag_remove(order: Order) -> Done:
    """Remove a tag that no task has used."""
    one = _tag(order.params.text("name", longest=64))
    tags.remove(one, user=order.user, reason=order.reason, now=order.now)
    return Done(title=f"Removed the tag {one.name}", lines=[("Tags", reverse("monitor:tags"))])
