"""The columns of the tables of the configuration, each with its meaning."""

from __future__ import annotations

from monitor.operations.columns import (
    FlagColumn,
    LinkColumn,
    NumberColumn,
    StatusColumn,
    TimeColumn,
)
from monitor.sheets import Sheet, column


class CloudSheet(Sheet):
    name = column("Cloud", "its name", kind=LinkColumn, link="url")
    tier1 = column("Tier-1", "the site that keeps its data")
    status = column("Status", "offline: its sites get no production jobs", kind=StatusColumn)
    sites = column("Sites", "that belong to it", look="n")
    weight = column("Weight", "divides the Tier-1's load when jobs have many input files", look="n")
    fasttrack = column("Fast track", "takes event generation above priority 700", kind=FlagColumn)
    validation = column("Validation", "takes validation tasks", kind=FlagColumn)
    releases_checked = column(
        "Releases checked", "a site without the job's release is refused", kind=FlagColumn
    )
    reprocessing_at_tier1 = column(
        "Reprocessing at Tier-1", "reprocessing jobs go to the Tier-1", kind=FlagColumn
    )

    class Meta(Sheet.Meta):
        pass


class SiteSheet(Sheet):
    name = column("Site", "a queue at a computing site", kind=LinkColumn, link="url")
    cloud = column("Cloud", "that it belongs to")
    tier = column("Tier", "1: keeps the data of its cloud", look="n")
    type = column("Type", "what work it takes")
    flavour = column("Middleware", "of its grid")
    status = column("Status", "whether it takes work", kind=StatusColumn)
    slots = column("Slots", "jobs that run at once", kind=NumberColumn, look="n")
    job_cap = column("Jobs at once", "most that pilots may hold; 0: no limit", look="n")
    max_core_count = column("Cores", "most that a job may ask for", look="n")
    memory_mb = column("Memory (MB)", "for each slot; 0: any", kind=NumberColumn, look="n")
    cpu_speed_mhz = column("CPU (MHz)", "speed of a core; 0: not known", look="n")
    wall_seconds = column("Wall time (s)", "longest; 0: no limit", kind=NumberColumn, look="n")
    scratch_mb = column("Scratch (MB)", "for each slot; 0: any", kind=NumberColumn, look="n")
    vos = column("VOs", "that may run there; empty: all")
    storage = column("Storage", "where its jobs read and write")

    class Meta(Sheet.Meta):
        pass


class ReleaseSheet(Sheet):
    name = column("Release", "as jobs name it")
    cmt_config = column("Platform", "the cmtConfig of a job")
    sites = column("Sites", "where it is installed", look="n")
    validated = column("Validated", "of these: a validation job passed there", look="n")

    class Meta(Sheet.Meta):
        pass


class StorageSheet(Sheet):
    name = column("Storage element", "a place for files")
    kind = column("Kind", "disk or tape")
    space_token = column("Space token", "the part of it that is ours")
    capacity_gb = column("Capacity (GB)", "in 10^9 bytes", kind=NumberColumn, look="n")
    threshold_gb = column(
        "Asked for (GB)", "brokerage needs this much free; empty: the default of the tier", look="n"
    )
    free_gb = column("Free (GB)", "empty: never measured", kind=NumberColumn, look="n")
    measured_at = column("As of", "when that was measured", kind=TimeColumn)
    sites = column("Sites", "that use it")

    class Meta(Sheet.Meta):
        pass


class ErrorSheet(Sheet):
    component = column("Component", "the part of the system that sets the code")
    code = column("Code", "its number", look="n")
    source = column("Source", "who gave the code this meaning")
    acronym = column("Name", "for people")
    meaning = column("Meaning", "what went wrong", look="wrap")
    do_not_retry = column("Do not retry", "the job is not tried again", kind=FlagColumn)

    class Meta(Sheet.Meta):
        pass


class SettingSheet(Sheet):
    name = column("Setting", "the variable of the environment")
    value = column("Value", "as this process has it", look="n")
    unit = column("Unit", "of the value")

    class Meta(Sheet.Meta):
        pass


class PartSheet(Sheet):
    title = column("What", "a kind of thing", kind=LinkColumn, link="url")
    entries = column("Entries", "how many there are", kind=NumberColumn, look="n")
    about = column("About", "what it is", look="wrap")
    edit = column("Edit", "in the admin, for those who may", kind=LinkColumn, link="admin_url")

    class Meta(Sheet.Meta):
        pass
