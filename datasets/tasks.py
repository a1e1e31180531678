"""Celery handles: the work is in engine.py and services.py and runs without Celery."""

from __future__ import annotations

from celery import shared_task

from datasets import consistency, engine, flowsums, keeping, space, staging, sums
from datasets.ddm import minding, outbox, sync
from pandasite.base.clock import database_now
from pandasite.base.nudge import heard
from pandasite.base.sweeps import run_sweep

LONGEST_SECONDS = 86_400


@shared_task(name="datasets.schedule_transfers")
def schedule_transfers() -> int:
    return run_sweep("datasets.schedule_transfers", engine.schedule)


# A large file takes its time; what a killed worker held is free when its lease is over.
@shared_task(name="datasets.transfer", time_limit=LONGEST_SECONDS)
def transfer(slot: int) -> int:
    heard("datasets.transfer", slot)
    return engine.work(slot)


@shared_task(name="datasets.stage")
def stage() -> int:
    return run_sweep("datasets.stage", staging.stage)


@shared_task(name="datasets.measure_storage")
def measure_storage() -> int:
    return run_sweep("datasets.measure_storage", lambda now: space.measure_storage(now=now))


@shared_task(name="datasets.ask_for_space")
def ask_for_space(storage_id: int) -> bool:
    heard("datasets.ask_for_space", storage_id)
    return space.ask(storage_id, now=database_now())


@shared_task(name="datasets.sum_datasets")
def sum_datasets() -> int:
    return run_sweep("datasets.sum_datasets", sums.run)


@shared_task(name="datasets.sum_transfers")
def sum_transfers() -> int:
    return run_sweep("datasets.sum_transfers", flowsums.run)


@shared_task(name="datasets.sample_space")
def sample_space() -> int:
    return run_sweep("datasets.sample_space", flowsums.sample_space)


@shared_task(name="datasets.mind_ddm")
def mind_ddm() -> int:
    return run_sweep("datasets.mind_ddm", minding.run)


@shared_task(name="datasets.keep_wishes")
def keep_wishes() -> int:
    return run_sweep("datasets.keep_wishes", keeping.run)


@shared_task(name="datasets.send_callbacks")
def send_callbacks() -> int:
    return run_sweep("datasets.send_callbacks", lambda now: outbox.send_news(now=now))


@shared_task(name="datasets.sync_ddm")
def sync_ddm() -> int:
    return run_sweep("datasets.sync_ddm", sync.run)


@shared_task(name="datasets.check_storages")
def check_storages() -> int:
    return run_sweep("datasets.check_storages", consistency.run)
