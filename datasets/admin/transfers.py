"""Transfers: what is queued, what went wrong, and trying again."""

from __future__ import annotations

from django.contrib import admin

from datasets.demand import Errand, request_transfers
from datasets.models import Replica, Transfer
from datasets.states import TransferState
from pandasite.base.admin_kit import BigTableAdmin
from pandasite.base.deeds import Deed, Order
from pandasite.base.errors import Conflict


def _try_again(transfer: Transfer, order: Order) -> str:
    """A new transfer: a final row never changes, and the failed one stays as evidence."""
    if transfer.state != TransferState.FAILED:
        raise Conflict(f"it is {transfer.state}: only a failed transfer is tried again")
    same = Transfer.objects.filter(file=transfer.file, destination=transfer.destination)
    if same.active().exists():
        raise Conflict("another transfer of this file to this place is active")
    good = Replica.objects.filter(file=transfer.file, state=Replica.State.AVAILABLE)
    if good.filter(storage=transfer.destination).exists():
        raise Conflict("the file is there already")
    errand = Errand.of(transfer)
    request_transfers([transfer.file], transfer.destination, now=order.now, errand=errand)
    return "queued anew"


@admin.register(Transfer)
class TransferAdmin(BigTableAdmin):
    list_display = [
        "id",
        "file",
        "destination",
        "state",
        "activity",
        "priority",
        "attempts",
        "reason",
        "error",
        "next_try_at",
        "ended_at",
    ]
    list_filter = ["state", "destination", "activity", "reason"]
    list_select_related = ["file", "destination"]
    search_fields = ["file__lfn__startswith"]
    search_help_text = "By number, or by the beginning of the LFN."
    number_field = "pk"
    deeds = [
        Deed(
            name="retry",
            label="Try again…",
            permission="datasets.add_transfer",
            apply=_try_again,
            explain="Each file is requested anew; the failed transfers stay as evidence.",
            audit="transfer_retry",
            subject=lambda transfer: f"transfer {transfer.pk} of {transfer.file}",
        )
    ]
