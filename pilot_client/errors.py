"""What can go wrong with a job, as the numbers the server's catalogue knows."""

from enum import IntEnum


class PilotCode(IntEnum):
    """Errors that the pilot answers for (`pilot_error_code`)."""

    NO_LOCAL_SPACE = 1098
    STAGE_IN_FAILED = 1099
    WORK_FOLDER_TOO_LARGE = 1104
    OUTPUT_TOO_LARGE = 1124
    NO_STORAGE = 1133
    STAGE_OUT_FAILED = 1137
    KILLED_BY_SERVER = 1144
    NOT_DOWNLOADED = 1149
    MISSING_OUTPUT = 1165
    INPUT_CHECKSUM = 1171
    NO_SOFTWARE_AREA = 1186
    KILLED_BY_SIGNAL = 1200
    SIGTERM = 1201
    SIGQUIT = 1202
    SIGXCPU = 1204
    SIGINT = 1208
    MISSING_RELEASE = 1211
    TIME_LIMIT = 1213
    MEMORY_LIMIT = 1235
    FILE_HANDLING = 1303
    NOT_EXECUTED = 1305
    NO_PROTOCOL = 1313
    PILOT_PROBLEM = 1319
    MISSING_INPUT = 1331
    NO_TRANSFORMATION = 1346
    BAD_ARGUMENTS = 1349


class PayloadCode(IntEnum):
    """Errors that the transformation answers for (`exe_error_code`)."""

    SEGMENTATION_FAULT = 60010
    UNKNOWN = 69999


class JobFailed(Exception):
    """This job cannot end well: a code of the catalogue and a sentence for the job page."""

    def __init__(self, code: PilotCode, diag: str) -> None:
        super().__init__(diag)
        self.code = code
        self.diag = diag


class LeaseLost(Exception):
    """The server gave the job to somebody else, or ended it: nothing is to be reported."""


class PilotEnds(Exception):
    """The pilot cannot go on; the text is the sentence for its owner."""

    def __init__(self, sentence: str, exit_code: int) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code
