"""The numbers an administrator may set: PANDASITE_<NAME> in the environment, with their ranges.

Sources of the defaults: the 2009 system where it had such a limit, else measured here.
"""

from dataclasses import dataclass

from pandasite.environment import Environment

DAY = 86_400


@dataclass(frozen=True)
class Limit:
    """A whole number with its default and the range it may have, both ends included."""

    default: int
    low: int
    high: int


LIMITS = {
    # Leases and heartbeats of pilots, seconds.
    "LEASE_SECONDS": Limit(7200, 1, 7 * DAY),
    "LEASE_GRACE_SECONDS": Limit(60, 0, DAY),
    "SENT_SECONDS": Limit(1800, 1, 7 * DAY),
    "HEARTBEAT_SECONDS": Limit(1800, 1, DAY),
    "RETRY_AFTER_SECONDS": Limit(60, 1, 3600),
    "CLAIM_KEY_HOURS": Limit(24, 1, 720),
    "CLAIMS_TOGETHER": Limit(16, 1, 100),  # in one transaction, of those that wait in a process
    "PILOT_EVIDENCE_HOURS": Limit(3, 1, 720),
    "PILOT_DAYS": Limit(30, 1, 3650),
    "TASK_INPUT_DAYS": Limit(90, 1, 3650),
    "SAMPLE_DAYS": Limit(3, 1, 365),
    # Calls of a pilot, and bad tokens or log-ins, in a minute (0: no limit).
    "NODE_CALLS": Limit(600, 0, 1_000_000),
    "BAD_TOKENS": Limit(10, 0, 1_000_000),
    "BAD_LOGINS": Limit(10, 0, 1_000_000),
    # Proxies of grid certificates: how many may stand in a row, and for how long one may be made.
    "PROXY_DEPTH": Limit(3, 0, 10),
    "PROXY_HOURS": Limit(24, 1, 8760),
    # How long a job may stay in a state.
    "HOLDING_HOURS_ANALYSIS": Limit(3, 1, 720),
    "HOLDING_HOURS_PRODUCTION": Limit(48, 1, 720),
    "TRANSFERRING_HOURS_HIGH": Limit(24, 1, 720),
    "TRANSFERRING_HOURS_LOW": Limit(48, 1, 720),
    "QUEUE_DAYS": Limit(7, 1, 365),
    "WAITING_DAYS": Limit(1, 1, 365),
    "ASSIGNED_HOURS": Limit(12, 1, 720),
    "ACTIVATED_DAYS": Limit(2, 1, 365),
    "ACTIVATED_HOURS_USER": Limit(24, 1, 720),
    "OFFLINE_HOURS": Limit(3, 0, 720),
    "RUNNING_DAYS": Limit(21, 1, 365),
    "CLOSE_MINUTES": Limit(30, 0, 43_200),
    # Ended jobs: when they leave the live tables, and how long they are kept (0: for ever).
    "ARCHIVE_HOURS": Limit(24, 0, 720),
    "RETAIN_DAYS": Limit(0, 0, 36_500),
    "USAGE_DAYS": Limit(400, 31, 36_500),  # how long it is known who used what on which day
    # Log lines for the logger page: how many wait to be stored (0: none is kept), how long and how
    # many are kept.
    "EVENT_QUEUE": Limit(10_000, 0, 1_000_000),
    "EVENT_DAYS": Limit(14, 1, 365),
    "EVENT_ROWS": Limit(1_000_000, 1000, 100_000_000),
    # Work and how often it is tried again.
    "BUNCH_SIZE": Limit(20, 1, 1000),  # jobs, or their input files, that are brokered together
    "REBROKER_MAX": Limit(3, 0, 100),
    "TRANSFER_ATTEMPTS": Limit(3, 1, 100),
    "TRANSFER_RETRY_SECONDS": Limit(30, 0, DAY),
    "TRANSFER_PAUSE_SECONDS": Limit(300, 0, DAY),
    "TRANSFER_LEASE_SECONDS": Limit(600, 1, DAY),
    "TRANSFER_GIVE_UP_HOURS": Limit(168, 1, 24 * 365),
    "TRANSFER_DAYS": Limit(90, 8, 3650),  # those that brought their file; sums need a week
    # How many copies at once, where the administrator's record says nothing.
    "STORAGE_TRANSFERS": Limit(20, 1, 10_000),
    "LINK_TRANSFERS": Limit(10, 1, 10_000),
    "TRANSFER_STREAMS": Limit(8, 1, 10_000),  # bunches that are offered to the workers at once
    "TRANSFER_BUNCH": Limit(200, 1, 5000),  # small files that a worker takes at a time
    # A storage that says nothing for so long, or gives less than this, is given up for now.
    "STORAGE_TIMEOUT_SECONDS": Limit(30, 1, 600),
    "STORAGE_MIN_KB_S": Limit(10, 0, 1_000_000),
    # Data: news of a DDM elsewhere, uploads, PandaMover, and comparing storage with the catalogue.
    "DDM_CLOCK_SECONDS": Limit(300, 1, 3600),  # how far the clock of a signature may be off
    "DDM_CALL_SECONDS": Limit(10, 1, 60),  # for the answer of a callback's target, or Rucio
    "DDM_PAUSE_SECONDS": Limit(300, 1, DAY),  # the longest between two tries of a callback
    "DDM_NEWS_DAYS": Limit(30, 1, 365),
    "UPLOAD_MAX_MB": Limit(5000, 1, 10_000_000),
    # Sandboxes of users: MB (of 1,048,576 bytes) as they come and unpacked, of one owner, and left
    # free on the disk; and days without use.
    "SANDBOX_JOBO_MB": Limit(10, 1, 100_000),
    "SANDBOX_JOBO_UNPACKED_MB": Limit(500, 1, 1_000_000),
    "SANDBOX_SOURCES_MB": Limit(768, 1, 100_000),
    "SANDBOX_SOURCES_UNPACKED_MB": Limit(8000, 1, 1_000_000),
    "SANDBOX_QUOTA_MB": Limit(5000, 1, 10_000_000),
    "SANDBOX_FREE_MB": Limit(500, 0, 10_000_000),
    "SANDBOX_DAYS": Limit(30, 1, 3650),
    "MOVER_ATTEMPTS": Limit(10, 1, 100),
    "MOVER_PAUSE_MINUTES": Limit(180, 0, 10_080),
    "MOVER_CHANNEL_JOBS": Limit(10, 1, 10_000),
    "MOVER_PRESTAGE_JOBS": Limit(50, 1, 10_000),
    "MOVER_RUNNING_HOURS": Limit(3, 1, 720),
    "MOVER_WAITING_HOURS": Limit(12, 1, 720),
    "MOVER_FILES": Limit(20, 1, 100),  # of one job
    "CHECK_STORAGE_HOURS": Limit(168, 0, 8760),  # from check to check; 0: only when asked
    "DASHBOARD_SECONDS": Limit(5, 0, 60),
    "NUDGE_SECONDS": Limit(0, 0, 5),  # a mark with the broker lasts for twice as long
    "USER_PRIORITY_CAP": Limit(1000, 0, 1_000_000),
    # Between two cycles with the production database: where nobody has changed it in the admin.
    "BAMBOO_SECONDS": Limit(600, 1, DAY),
}
# The sweeps are quick on a small installation; a large one has the nudges and spares its database.
SWEEP_EMBEDDED = Limit(10, 1, 3600)
SWEEP_PRODUCTION = Limit(60, 1, 3600)


def read_limits(environment: Environment, *, embedded: bool) -> dict[str, int]:
    """The values of all limits. Raises ImproperlyConfigured for the first bad one."""
    limits = LIMITS | {"SWEEP_SECONDS": SWEEP_EMBEDDED if embedded else SWEEP_PRODUCTION}
    return {
        name: environment.integer(
            f"PANDASITE_{name}", default=limit.default, low=limit.low, high=limit.high
        )
        for name, limit in limits.items()
    }
