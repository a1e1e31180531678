"""Where the pages are."""

from __future__ import annotations

from jobs.models import Task
from tests.builders import (
    NOW,
    create_cloud,
    create_dataset,
    create_job,
    create_pilot,
    create_site,
    create_user,
)

# Whose clock a test may stop.
VIEWS = (
    "monitor.views",
    *(f"monitor.{area}.views" for area in ("production", "people", "grid", "logger", "data")),
)
# Pages that are one list.
LISTS = (
    "/tasks/", "/tasks/browser/", "/users/", "/usage/", "/usage/daily/", "/sites/", "/pilots/",
    "/pilots/answers/", "/autopilot/", "/autopilot/?by=site", "/logger/", "/mover/", "/physics/",
    "/blocks/",
)  # fmt: skip


def one_of_each_page() -> list[str]:
    """The addresses of one of each page, with its rows made."""
    site = create_site("AGLT2", cloud=create_cloud("US"))
    task = Task.objects.create(name="evgen", owner=create_user(), created_at=NOW)
    job = create_job("running", site=site, task=task)
    dataset = create_dataset("mc09.evgen")
    pilot = create_pilot(site)
    return [
        "/",
        "/jobs/",
        f"/jobs/{job.pk}/",
        f"/sites/{site.name}/",
        f"/tasks/{task.pk}/",
        f"/datasets/{dataset.name}/",
        f"/pilots/{site.name}/{pilot.pilot_id}/",
        f"/users/{task.owner.get_username()}/",
        *LISTS,
    ]
