"""Fields of task parameters: which are translated, which change nothing here, which cannot be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pandasite.base.errors import BadInput, field_error

Fault = dict[str, Any]
NOTHING: Final[tuple[Any, ...]] = (None, "", False, 0, [], {})

# These say something that `request` translates.
TAKEN: Final = frozenset({
    "taskName", "vo", "architecture", "transUses", "transHome", "transPath", "processingType",
    "prodSourceLabel", "site", "includedSite", "currentPriority", "nGBPerJob", "nEvents",
    "nEventsPerJob", "nEventsPerFile", "nFiles", "nFilesPerJob", "skipScout", "workingGroup",
    "nMaxFilesPerJob", "maxWalltime", "ramCount", "ramCountUnit", "outDiskCount", "outDiskUnit",
    "coreCount", "maxAttempt", "sourceURL", "jobParameters", "noInput", "dsForIN", "buildSpec",
    "mergeSpec", "mergeOutput", "nGBPerMergeJob", "nFilesPerMergeJob", "campaign",
})  # fmt: skip
# These say nothing that makes a difference here, for the reasons that the documentation gives.
IDLE: Final = frozenset({
    "uniqueTaskName", "cliParams", "osInfo", "osMatching", "respectSplitRule", "respectLB", "log",
    "log_merge", "noEmail", "messageDriven", "noLoopingCheck", "fixedSandbox", "reuseSecOnDemand",
    "useLocalIO", "allowInputLAN", "transferType", "avoidVP", "debugMode", "useRealNumEvents",
    "cpuTime", "cpuTimeUnit", "maxCoreCount", "noWaitParent", "userName", "taskType",
    "taskPriority", "official", "framework", "disableAutoRetry", "waitInput",
})  # fmt: skip


class Fields:
    """The parameters, read with their kinds and ranges; what is wrong is collected."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given
        self.faults: list[Fault] = []

    def refuse(self, name: str, words: str, *, code: str = "not_offered", **limit: Any) -> None:
        """Note that a field cannot be what it is."""
        text = f"{name} {words}"
        self.faults.append(field_error(name, text, code=code, **limit))

    def absorb(self, place: str, inner: Fields) -> None:
        """Take over what is wrong with an object that stands at this place."""
        for fault in inner.faults:
            where, words = f"{place}.{fault['field']}", f"{place}.{fault['message']}"
            self.faults.append({**fault, "field": where, "message": words})

    def check(self) -> None:
        """BadInput with all that is wrong; its message has the first three."""
        if self.faults:
            told = "; ".join(fault["message"] for fault in self.faults[:3])
            raise BadInput(told, code=self.faults[0]["code"], fields=self.faults)

    def refuse_others(self) -> None:
        """Refuse what has a value and no meaning here."""
        for name in sorted(self._given.keys() - TAKEN - IDLE):
            if self._given[name] not in NOTHING:
                self.refuse(name, "is not offered here")

    def __contains__(self, name: str) -> bool:
        return self._given.get(name) not in NOTHING

    def peek(self, name: str) -> Any:
        """The value as it came."""
        return self._given.get(name)

    def text(self, name: str, *, needed: bool = False) -> str:
        """A text, empty for none."""
        value = self._given.get(name)
        if value in NOTHING:
            if needed:
                self.refuse(name, "is required", code="required")
            return ""
        if not isinstance(value, str):
            self.refuse(name, "must be a text", code="not_a_string")
            return ""
        return value

    def whole(self, name: str, *, low: int = 1, high: int = 10**12) -> int:
        """A number, 0 for none; prun sends some of them as text."""
        value = self._given.get(name)
        if value in NOTHING:
            return 0
        number = int(value) if isinstance(value, str) and value.isdecimal() else value
        if not isinstance(number, int) or isinstance(number, bool):
            self.refuse(name, "must be a whole number", code="not_an_integer", min=low, max=high)
            return 0
        if not low <= number <= high:
            self.refuse(
                name, f"must be between {low} and {high}", code="out_of_range", min=low, max=high
            )
            return 0
        return number

    def list_of_names(self, name: str) -> list[str]:
        """A list of texts, empty for none."""
        value = self._given.get(name)
        if value in NOTHING:
            return []
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            self.refuse(name, "must be a list of names", code="not_a_list")
            return []
        return value

    def object(self, name: str) -> Mapping[str, Any]:
        """An object, empty for none."""
        value = self._given.get(name)
        if value in NOTHING:
            return {}
        if not isinstance(value, Mapping):
            self.refuse(name, "must be an object", code="not_an_object")
            return {}
        return value

    def objects(self, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The items of a list of objects, with their places."""
        value = self._given.get(name)
        if value in NOTHING:
            return
        if not isinstance(value, list):
            self.refuse(name, "must be a list", code="not_a_list")
            return
        for i, item in enumerate(value):
            if isinstance(item, Mapping):
                yield f"{name}[{i}]", item
            else:
                self.refuse(f"{name}[{i}]", "must be an object", code="not_an_object")
