"""What goes into the choice: the needs of a bunch, the offer of each site, the rules around them.

Units are in the names: ``_mb`` megabytes, ``_gb`` gigabytes, ``_mhz`` megahertz, ``_seconds``.
Words such as a status or a type are plain strings here, because they are stored as such; a word
that the filters do not know is refused, never let through.
"""

from dataclasses import dataclass, replace
from functools import cached_property


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What one bunch of like jobs asks for.

    ``cloud`` and ``site`` are what the submitter fixed (None or '' = left to the brokerage).
    ``label`` is the prodSourceLabel. ``release`` may name several releases, one a line; '' = none.
    ``cmt_config`` '' means any platform. ``memory_mb`` is for the whole job, all its cores.
    ``input_files`` is the largest number of input files of one job of the bunch,
    ``total_input_files`` the number of distinct input files of the whole bunch.
    A number of 0 asks for nothing. Filters are asked about one job: ``total_input_files`` is 1 or 0
    for them and for weights, and none of them looks at ``n_jobs``, which weights do.
    """

    label: str
    cloud: str | None = None
    site: str | None = None
    processing_type: str = ""
    priority: int = 0
    vo: str = ""
    release: str = ""
    cmt_config: str = ""
    memory_mb: int = 0
    disk_mb: int = 0
    cpu_speed_mhz: int = 0
    core_count: int = 1
    wall_seconds: int = 0
    n_jobs: int = 1
    input_files: int = 0
    total_input_files: int = 0

    @cached_property
    def cores(self) -> int:
        """The cores of one job; a job that names none takes one."""
        return max(self.core_count, 1)

    @cached_property
    def fixed(self) -> bool:
        """Whether the submitter chose the site."""
        return bool(self.site)

    @property
    def of_each(self) -> "Needs":
        """What each job of the bunch asks for, and how many there are: what a site is told.

        Bunches that differ in nothing but their files are the same to it.
        """
        return replace(self, total_input_files=min(self.total_input_files, 1))

    @cached_property
    def releases(self) -> tuple[str, ...]:
        """Every release the jobs need, none when they need none."""
        return tuple(name.strip() for name in self.release.splitlines() if name.strip())


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What one site has to give now.

    ``type`` is production, analysis or both; ``status`` is online, offline, brokeroff or test.
    ``downtime`` says until when an outage goes on, and why; empty: there is none.
    0 means "not limited" for ``memory_mb`` (per slot), ``wall_seconds``, ``scratch_mb`` and
    ``max_core_count``, and "not known" for ``cpu_speed_mhz`` and ``slots``.
    ``vos`` empty serves every VO; ``releases`` empty means that nobody declared any.
    ``pilots_recent`` counts the nodes whose pilots were seen within the evidence time,
    ``updating_nodes`` those of them that reported on a job within it, ``running`` the jobs in the
    state running alone: together they say how many jobs a node works on.
    ``free_gb`` None means never measured. ``held_files`` counts the bunch's input files that are
    at the site; it decides in the last step only, filters and weights see 0.
    """

    name: str
    cloud: str
    tier: int = 2
    type: str = "production"
    status: str = "online"
    status_reason: str = ""
    downtime: str = ""
    memory_mb: int = 0
    cpu_speed_mhz: int = 0
    slots: int = 0
    max_core_count: int = 0
    wall_seconds: int = 0
    scratch_mb: int = 0
    vos: frozenset[str] = frozenset()
    releases: frozenset[tuple[str, str]] = frozenset()
    validated_releases: frozenset[tuple[str, str]] = frozenset()
    pilots_recent: int = 0
    assigned: int = 0
    activated: int = 0
    running: int = 0
    updating_nodes: int = 0
    has_storage: bool = True
    free_gb: float | None = None
    space_threshold_gb: float = 0.0
    held_files: int = 0

    def taking(self, n_jobs: int) -> "Offer":
        """The same site with ``n_jobs`` more assigned.

        Facts are gathered once a round. Without this step every bunch of the round would meet
        the same empty queue and all would go to one site.
        """
        return replace(self, assigned=self.assigned + n_jobs)


@dataclass(frozen=True, kw_only=True)
class CloudRules:
    """How one cloud takes work. ``status`` is online or offline; ``tier1`` names its Tier-1 site.

    ``weight`` divides the Tier-1's weight for jobs with many input files.
    ``validation`` and ``fasttrack`` open the cloud for those kinds of production.
    """

    name: str
    status: str = "online"
    tier1: str | None = None
    releases_checked: bool = True
    reprocessing_at_tier1: bool = True
    weight: float = 2.0
    validation: bool = False
    fasttrack: bool = False


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The numbers and words of the rules; the defaults are those of 2009.

    ``evidence_hours`` only words the refusal: the caller counts the pilots of that time.
    ``keep_best`` sites stay in the last step, less those whose weight is over ``drop_ratio``
    times the best one's. ``bunch_size`` bounds both the jobs and the input files of a bunch.
    ``tier1_labels`` are the jobs that the Tier-1 rule is about; ddm jobs, whose priorities are
    higher than all others, are not among them.
    """

    evidence_hours: float = 3
    space_per_job_gb: float = 0.25
    t1_locality_files: int = 4
    high_priority: int = 950
    fasttrack_priority: int = 700
    keep_best: int = 2
    drop_ratio: float = 2.0
    bunch_size: int = 20
    analysis_labels: frozenset[str] = frozenset({"user", "panda"})
    tier1_labels: frozenset[str] = frozenset({"managed", "test"})
    test_labels: frozenset[str] = frozenset({"test", "prod_test"})
    test_types: frozenset[str] = frozenset({"prod_test"})
    install_labels: frozenset[str] = frozenset({"install"})
    reprocessing_types: frozenset[str] = frozenset({"reprocessing"})
    validation_types: frozenset[str] = frozenset({"validation"})
    evgen_types: frozenset[str] = frozenset({"evgen"})


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What stands beside needs and offer when one site is judged: its cloud, and the limits."""

    cloud: CloudRules
    limits: Limits

    def is_analysis(self, needs: Needs) -> bool:
        """User jobs are analysis; every other label (also ddm, install, test) is production."""
        return needs.label in self.limits.analysis_labels

    def is_reprocessing(self, needs: Needs) -> bool:
        """Whether the processing type is one of the reprocessing types."""
        return needs.processing_type in self.limits.reprocessing_types

    def is_tier1(self, offer: Offer) -> bool:
        """Whether the site is the Tier-1 of its cloud (not just any site of tier 1)."""
        return self.cloud.tier1 == offer.name


def plain(value: float) -> str:
    """A number as a reader wants it: four digits, no exponent for large ones."""
    return f"{value:.4g}" if abs(value) < 9999.5 else f"{value:.0f}"
