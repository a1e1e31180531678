"""Addresses that are signed for one file each, for pilots whose site has S3.

The key stays here: what a worker node gets opens one object, to read or to write, for some days.
"""

from __future__ import annotations

import logging
from typing import Any

from datasets import storage
from datasets.models import StorageElement

log = logging.getLogger(__name__)

READ_SECONDS = 86_400
WRITE_SECONDS = 7 * 86_400  # the longest that the protocol knows; a job may run for days


def sign(answer: dict[str, Any]) -> dict[str, Any]:
    """The job answer, with a `url` on each file where the site's storage is S3.

    Where the storage cannot be opened the job goes out without: its pilot says what is missing.
    """
    told = answer["storage"]
    if not told or not told["url"].startswith("s3://"):
        return answer
    element = StorageElement.objects.filter(name=told["name"]).first()
    if element is None:
        return answer
    try:
        place = storage.open_place(element.address)
        for file in answer["input_files"]:
            file["url"] = place.signed(file["path"], write=False, lasts=READ_SECONDS)  # type: ignore[attr-defined]
        for file in [*answer["output_files"], answer["log_file"]]:
            file["url"] = place.signed(file["path"], write=True, lasts=WRITE_SECONDS)  # type: ignore[attr-defined]
    except storage.StorageError as error:
        log.error("not_signed", extra={"storage": element.name, "error": str(error)})
    return answer
