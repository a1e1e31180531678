"""Where the pages are."""

from __future__ import annotations

from jobs.models import Tag, Task
from tests.builders import (
    NOW,
    create_cloud,
    create_dataset,
    create_file,
    create_job,
    create_pilot,
    create_site,
    create_user,
)
from tests.tasks_engine.requests import evgen, registered

# Pages that are one list.
LISTS = (
    "/tasks/", "/tasks/browser/", "/users/", "/usage/", "/usage/daily/", "/sites/", "/pilots/",
    "/pilots/answers/", "/autopilot/", "/autopilot/?by=site", "/logger/", "/mover/", "/physics/",
    "/blocks/", "/ddm/errors/", "/ddm/stuck/", "/ddm/space/", "/new-datasets/",
    "/aborted-datasets/", "/aods/", "/subscriptions/", "/open-blocks/", "/ddm-requests/",
    "/bamboo/", "/bamboo/refused/", "/bamboo/brokerage/", "/bamboo/submissions/",
    "/shares/",
    "/tags/", "/deeds/",
)  # fmt: skip


def one_of_each_page() -> list[str]:
    """The addresses of one of each page, with its rows made."""
    site = create_site("AGLT2", cloud=create_cloud("US"))
    task = Task.objects.create(name="evgen", owner=create_user(), created_at=NOW)
    job = create_job("running", site=site, task=task)
    carried = registered(evgen())
    dataset = create_dataset("mc09.evgen")
    create_file("EVNT.1", dataset=dataset)
    create_job("failed", site=site, node="wn7", pilot_error_code=1099)
    create_pilot(site, node="wn7")
    Tag.objects.create(name="e1", transformation="evgen.py", made_by="alice", created_at=NOW)
    pilot = create_pilot(site)
    return [
        "/",
        "/jobs/",
        "/jobs/facets",
        "/jobs/views/",
        "/what-if/",
        f"/jobs/{job.pk}/",
        f"/sites/{site.name}/",
        f"/storage/{site.name}_DISK/",
        f"/tasks/{task.pk}/",
        f"/tasks/{carried.pk}/",
        f"/datasets/{dataset.name}/",
        "/datasets/",
        "/files/mc09/EVNT.1/",
        "/ddm/",
        "/errors/",
        "/errors/messages/",
        "/errors/matrix/",
        "/errors/sites/",
        "/errors/grids/",
        "/errors/grids/OSG/",
        "/nodes/",
        "/nodes/AGLT2/wn7/",
        "/clouds/",
        "/clouds/US/",
        "/configuration/",
        "/configuration/?what=sites",
        f"/pilots/{site.name}/{pilot.pilot_id}/",
        f"/users/{task.owner.get_username()}/",
        *LISTS,
        "/search",
        "/plots/",
        "/plots/dwell/",
        "/task-requests/new/",
        "/task-requests/new/?kind=evgen",
        "/task-requests/new/?kind=ctbsim&tag=e1",
        "/new-tag/",
        "/tags/e1/",
    ]
