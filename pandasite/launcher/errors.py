"""What can go wrong when starting; the text is what the user reads."""


class LaunchError(Exception):
    """A child or a step of the start failed."""


class AlreadyRuns(LaunchError):
    """Another launcher holds this data folder."""
