"""Addresses of subscriptions: datasets that are wished for at a storage element."""

from __future__ import annotations

from django.contrib.auth.models import User
from rest_framework.request import Request
from rest_framework.response import Response

from datasets import subscriptions as wishes
from datasets.models import Subscription
from jobs.api import data_answers as answers
from jobs.api import data_reading as reading
from jobs.api.answers import documented
from jobs.api.data_bodies import PriorityBody, ReasonBody, SubscribeBody
from jobs.api.data_names import (
    PRODUCTION,
    callback_of,
    dataset_of,
    must_own,
    storage_of,
    subscription_of,
)
from jobs.api.views import PersonView, person_of
from pandasite.base import serializers as strict
from pandasite.base.clock import database_now
from pandasite.base.errors import Conflict, NotAllowed
from pandasite.base.snapshot import one_snapshot

ANY = "datasets.change_subscription"


class SubscriptionsView(PersonView):
    """The list, and new ones."""

    @documented(
        operation_id="subscriptions_list",
        answers={200: answers.SubscriptionsAnswer},
        problems=(400, 422),
        parameters=list(answers.SUBSCRIPTION_FILTERS),
    )
    def get(self, request: Request) -> Response:
        """Subscriptions, newest first."""
        with one_snapshot():
            return Response(reading.subscriptions(request.query_params))

    @documented(
        request=SubscribeBody,
        answers={201: answers.SubscriptionDetail, 200: answers.SubscriptionDetail},
        problems=(400, 404, 409, 411, 413, 415),
    )
    def post(self, request: Request) -> Response:
        """Wish for a dataset at a storage element; 200 with the one that there is already."""
        said = strict.validated(SubscribeBody, request.data)
        user = person_of(request)
        dataset, storage = dataset_of(said["dataset"]), storage_of(said["storage"])
        if not user.has_perm("datasets.add_subscription"):
            must_own(user, dataset.name, field="dataset")
        if why := wishes.refusal(dataset):
            raise Conflict(why)
        terms = wishes.Terms(
            owner=user.get_username(),
            vo=said["vo"],
            priority=said["priority"],
            callback=callback_of(said["callback"]) if "callback" in said else None,
        )
        there = Subscription.objects.filter(dataset=dataset, storage=storage).exists()
        made = wishes.subscribe(
            dataset, storage, activity=said["activity"], now=database_now(), terms=terms
        )
        return Response(_detail(made.pk), status=200 if there else 201)


class SubscriptionView(PersonView):
    """One subscription."""

    @documented(answers={200: answers.SubscriptionDetail}, problems=(400, 404))
    def get(self, request: Request, number: int) -> Response:
        """How far it is."""
        return Response(_detail(number))


class CancelView(PersonView):
    """The end of a subscription."""

    @documented(
        request=ReasonBody,
        answers={200: answers.SubscriptionDetail},
        problems=(400, 404, 409, 411, 413, 415),
    )
    def post(self, request: Request, number: int) -> Response:
        """Wish for it no longer; 409 when it has ended, unless its dataset may still grow."""
        subscription = _mine(request, number)
        said = strict.validated(ReasonBody, request.data)
        wishes.cancel(
            subscription, actor=person_of(request), reason=said["reason"], now=database_now()
        )
        return Response(_detail(number))


class PriorityView(PersonView):
    """The priority of a subscription."""

    @documented(
        request=PriorityBody,
        answers={200: answers.SubscriptionDetail},
        problems=(400, 404, 409, 411, 413, 415),
    )
    def post(self, request: Request, number: int) -> Response:
        """More or less urgent; 409 when it is not open any more."""
        subscription = _mine(request, number)
        said = strict.validated(PriorityBody, request.data)
        wishes.set_priority(
            subscription,
            said["priority"],
            actor=person_of(request),
            reason=said["reason"],
            now=database_now(),
        )
        return Response(_detail(number))


def _detail(number: int) -> dict[str, object]:
    return reading.subscription_detail(subscription_of(number))


def _mine(request: Request, number: int) -> Subscription:
    """One's own, or any with the right."""
    subscription, user = subscription_of(number), person_of(request)
    if subscription.owner == user.get_username() or _may_change_any(user):
        return subscription
    who = subscription.owner or "the system"
    raise NotAllowed(f"subscription {number} belongs to {who}", code="not_owner")


def _may_change_any(user: User) -> bool:
    return user.has_perm(ANY) or user.has_perm(PRODUCTION)
