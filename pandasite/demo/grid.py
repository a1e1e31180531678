"""The demo's grid as data: clouds and sites with their releases, storage and slot facts.

Small on purpose: ten folders on one machine, each playing a site of 2009. Releases differ between
the sites, so that brokerage has something to refuse and data has a reason to travel.
"""

import platform
from dataclasses import dataclass
from pathlib import Path

CMT_CONFIG = f"{platform.machine()}-{platform.system().lower()}-py3"

GENERATION = "Atlas-14.5.0"
ANALYSIS = "Atlas-15.0.0"
CHEMISTRY = "Charmm-36"

VOS = {
    "atlas": "ATLAS experiment at the LHC",
    "charmm": "CHARMM: molecular dynamics of proteins",
}

# The programs of pilot_client/transformations, which the demo's jobs may name.
TRANSFORMATIONS = {
    "evgen.py": "events of PYTHIA 6.428: pp at 14 TeV",
    "analysis.py": "multiplicity and transverse momentum of charged particles",
    "merge.py": "histograms into one result and one plot",
    "charmm.py": "molecular dynamics of ALA3 with the CHARMM36 force field",
    "crash.py": "ends by a segmentation fault, on purpose",
    "forgetful.py": "forgets its output, on purpose",
    "sleep.py": "sleeps, in the place of a job of a replayed log",
}

# What pilots of a site ask for, by the site's type.
PRODUCTION_LABELS = ("managed", "test", "ddm")
ANALYSIS_LABELS = ("user", "panda")
LABELS = {
    "production": PRODUCTION_LABELS,
    "analysis": ANALYSIS_LABELS,
    "both": PRODUCTION_LABELS + ANALYSIS_LABELS,
}


@dataclass(frozen=True, kw_only=True)
class Place:
    """A site with one storage element. Memory and scratch in MB, capacity and threshold in GB.

    `type` is what work it takes: production, analysis or both.
    """

    name: str
    cloud: str
    tier: int = 2
    type: str = "both"
    flavour: str = "OSG"
    releases: tuple[str, ...] = (ANALYSIS,)
    vos: tuple[str, ...] = ("atlas",)
    memory_mb: int = 2000
    cpu_speed_mhz: int = 2400
    slots: int = 1
    wall_seconds: int = 3600
    scratch_mb: int = 2000
    capacity_gb: float = 100.0
    threshold_gb: float = 1.0

    @property
    def storage(self) -> str:
        """The name of its storage element."""
        return f"{self.name}_DATADISK"

    @property
    def labels(self) -> tuple[str, ...]:
        """The prodSourceLabels that it takes."""
        return LABELS[self.type]


@dataclass(frozen=True, kw_only=True)
class Region:
    """A cloud: its Tier-1 and its flags."""

    name: str
    tier1: str
    fasttrack: bool = False
    validation: bool = False


CLOUDS = (
    Region(name="US", tier1="BNL_ATLAS_1", fasttrack=True, validation=True),
    Region(name="FR", tier1="IN2P3-CC", validation=True),
    Region(name="CA", tier1="TRIUMF"),
)

SITES = (
    Place(
        name="BNL_ATLAS_1",
        cloud="US",
        tier=1,
        releases=(GENERATION, ANALYSIS),
        memory_mb=4000,
        cpu_speed_mhz=2800,
        capacity_gb=1000.0,
        threshold_gb=5.0,
    ),
    Place(name="AGLT2", cloud="US", type="production", releases=(GENERATION,)),
    Place(name="MWT2_UC", cloud="US", type="production", releases=(GENERATION,), memory_mb=3000),
    Place(name="OU_OCHEP_SWT2", cloud="US", type="analysis", cpu_speed_mhz=2000),
    Place(name="IU_OSG", cloud="US", releases=(CHEMISTRY,), vos=("charmm",), capacity_gb=50.0),
    Place(
        name="IN2P3-CC",
        cloud="FR",
        tier=1,
        flavour="EGEE",
        memory_mb=4000,
        capacity_gb=500.0,
        threshold_gb=5.0,
    ),
    Place(name="LPC", cloud="FR", type="analysis", flavour="EGEE"),
    Place(
        name="TRIUMF",
        cloud="CA",
        tier=1,
        flavour="EGEE",
        memory_mb=4000,
        capacity_gb=500.0,
        threshold_gb=5.0,
    ),
    Place(name="SFU", cloud="CA", type="analysis", flavour="EGEE", memory_mb=3000),
)


def site_named(name: str) -> Place:
    """The site of this name."""
    return next(place for place in SITES if place.name == name)


@dataclass(frozen=True)
class DemoFolder:
    """Where the demo keeps its sites below the data folder of the installation."""

    data: Path

    @property
    def root(self) -> Path:
        return self.data / "demo"

    def site(self, place: Place) -> Path:
        """The folder that plays this site."""
        return self.root / "sites" / place.name

    def software(self, place: Place) -> Path:
        """Releases: <release>/<cmtConfig>/<transformation>."""
        return self.site(place) / "sw"

    def storage(self, place: Place) -> Path:
        """Its storage element."""
        return self.site(place) / "storage"

    def storage_url(self, place: Place) -> str:
        """The address of its storage element. Not percent-encoded: storage clients take it raw."""
        return f"file://{self.storage(place).absolute()}"

    def work(self, place: Place) -> Path:
        """The worker node's scratch space."""
        return self.site(place) / "work"
