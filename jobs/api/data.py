"""Addresses of datasets and files."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response

from datasets import making
from datasets.models import Dataset, StorageElement
from datasets.registry import NewFile
from jobs.api import data_answers as answers
from jobs.api import data_reading as reading
from jobs.api.answers import documented
from jobs.api.data_bodies import DatasetBody, FilesBody
from jobs.api.data_names import dataset_of, file_of, must_own, must_produce, storage_of
from jobs.api.views import PersonView, person_of
from pandasite.base import serializers as strict
from pandasite.base.clock import database_now
from pandasite.base.snapshot import one_snapshot


class DatasetsView(PersonView):
    """The list, and new ones."""

    @documented(
        operation_id="datasets_list",
        answers={200: answers.DatasetsAnswer},
        problems=(400, 422),
        parameters=list(answers.DATASET_FILTERS),
    )
    def get(self, request: Request) -> Response:
        """Datasets, newest first: filters name (its beginning), project, type, state."""
        with one_snapshot():
            return Response(reading.datasets(request.query_params))

    @documented(
        request=DatasetBody,
        answers={201: answers.DatasetAnswer},
        problems=(400, 409, 411, 413, 415),
    )
    def post(self, request: Request) -> Response:
        """Make a dataset with its files, or a container with its datasets."""
        said = strict.validated(DatasetBody, request.data)
        user, now = person_of(request), database_now()
        must_own(user, said["name"], field="name")
        storage = _storage(request, said)
        days = said.get("lifetime_days")
        with transaction.atomic():
            made = making.make_dataset(
                said["name"],
                type=Dataset.Type(said["type"]),
                owner=user,
                now=now,
                lifetime=dt.timedelta(days=days) if days else None,
            )
            if files := _files(request, said):
                making.add_new_files(made, files, storage=storage, now=now)
            making.contain(made, said.get("datasets", []))
        return Response(reading.dataset_json(dataset_of(made.name)), status=201)


class DatasetView(PersonView):
    """One dataset."""

    @documented(answers={200: answers.DatasetAnswer}, problems=(400, 404))
    def get(self, request: Request, name: str) -> Response:
        """The dataset; its files are at `files` below it."""
        return Response(reading.dataset_json(dataset_of(name)))


class DatasetFilesView(PersonView):
    """The files of a dataset."""

    @documented(
        operation_id="dataset_files_list",
        answers={200: answers.FilesAnswer},
        problems=(400, 404, 422),
        parameters=list(answers.FILE_FILTERS),
    )
    def get(self, request: Request, name: str) -> Response:
        """Its files with where they are, page by page; of a container, those of its datasets."""
        dataset = dataset_of(name)
        with one_snapshot():
            return Response(reading.files(dataset, request.query_params))

    @documented(
        request=FilesBody,
        answers={201: answers.FilesAnswer},
        problems=(400, 404, 409, 411, 413, 415),
    )
    def post(self, request: Request, name: str) -> Response:
        """Add files, all or none; answers with those that it has by now, as GET does."""
        dataset = dataset_of(name)
        said = strict.validated(FilesBody, request.data)
        must_own(person_of(request), dataset.name, field="dataset")
        storage = _storage(request, said)
        files = _files(request, said)
        making.add_new_files(dataset, files, storage=storage, now=database_now())
        return Response(reading.files(dataset, request.query_params), status=201)


class FileView(PersonView):
    """One file."""

    @documented(answers={200: answers.FileDetail}, problems=(400, 404))
    def get(self, request: Request, scope: str, lfn: str) -> Response:
        """The file with its replicas and datasets."""
        return Response(reading.file_json(file_of(scope, lfn)))


def _storage(request: Request, said: dict[str, Any]) -> StorageElement | None:
    """Where the files are said to be: only who is trusted may say that without proof."""
    if "storage" not in said:
        return None
    must_produce(person_of(request), "to say where files are")
    return storage_of(said["storage"])


def _files(request: Request, said: dict[str, Any]) -> list[NewFile]:
    files = [NewFile(**one) for one in said.get("files", [])]
    for nr, file in enumerate(files):
        must_own(person_of(request), file.scope, field=f"files[{nr}].scope")
    return files
