"""What the demo submits, judged without a server."""

import json

import pytest

from pandasite.demo.grid import CLOUDS, SITES, Place, Region
from pandasite.demo.productions import (
    FINISHED,
    MISSING_OUTPUT,
    SEGMENTATION_FAULT,
    WRONG_CHECKSUM,
    PlannedJob,
    productions,
)
from pandasite.demo.software import PROGRAMS
from pandasite.demo.wave import Wave, archive_dataset

WAVE = Wave(number=7)


def planned(wave: Wave = WAVE) -> dict[str, PlannedJob]:
    return {job.name: job for production in productions(wave) for job in production.jobs}


def offers(job: PlannedJob) -> list[Place]:
    """The sites that can run the job, as far as the grid's data tells."""
    wanted = job.submission
    return [
        place
        for place in SITES
        if wanted["atlas_release"] in place.releases
        and wanted["vo"] in place.vos
        and wanted["cloud"] == place.cloud
        and wanted["prod_source_label"] in place.labels
        and wanted["min_ram_count"] <= place.memory_mb
        and wanted["max_disk_count"] <= place.scratch_mb
    ]


def test_a_wave_gives_the_same_bytes_each_time() -> None:
    first = json.dumps([production.body() for production in productions(WAVE)])

    again = json.dumps([production.body() for production in productions(Wave(number=7))])

    assert first == again


def test_two_waves_share_no_job_name_key_or_output() -> None:
    def names(number: int) -> set[str]:
        parts = productions(Wave(number=number))
        jobs = [job for part in parts for job in part.jobs]
        outputs = [f["lfn"] for job in jobs for f in job.submission["output_files"]]
        return {part.key for part in parts} | {job.name for job in jobs} | set(outputs)

    assert not names(1) & names(2)


def test_every_job_can_run_somewhere() -> None:
    nowhere = [job.name for job in planned().values() if not offers(job)]

    assert nowhere == []


def test_event_generation_has_a_choice_of_sites_and_not_everywhere() -> None:
    sites = {place.name for place in offers(planned()["demo.w00007.evgen._00001"])}

    assert sites == {"BNL_ATLAS_1", "AGLT2", "MWT2_UC"}


def test_analysis_cannot_run_where_its_input_is_made() -> None:
    jobs = planned()
    generating = set(offers(jobs["demo.w00007.evgen._00001"]))

    for nr in range(1, 7):
        assert not generating & set(offers(jobs[f"demo.w00007.analysis._{nr:05d}"]))


def test_every_input_is_made_by_the_wave_or_lies_in_the_archive() -> None:
    jobs = planned().values()
    made = {f["lfn"] for job in jobs for f in job.submission["output_files"]}

    read = [f for job in jobs for f in job.submission["input_files"]]

    assert {f["dataset"] for f in read if f["lfn"] not in made} == {archive_dataset(WAVE)}


def test_no_output_has_two_makers() -> None:
    outputs = [
        (f["scope"], f["lfn"]) for job in planned().values() for f in job.submission["output_files"]
    ]

    assert len(outputs) == len(set(outputs))


def test_each_program_belongs_to_the_release_that_its_job_asks_for() -> None:
    for job in planned().values():
        assert job.submission["transformation"] in PROGRAMS[job.submission["atlas_release"]]


def test_the_jobs_meant_to_fail_say_how() -> None:
    ends = {job.name.split(".")[2]: job.end for job in planned().values()}

    assert ends.pop("crash") == SEGMENTATION_FAULT
    assert ends.pop("forgetful") == MISSING_OUTPUT
    assert ends.pop("tampered") == WRONG_CHECKSUM
    assert set(ends.values()) == {FINISHED}


def test_no_job_is_given_up_because_one_pilot_died() -> None:
    assert all(job.max_attempt >= 2 for job in planned().values())


def test_a_small_wave_is_smaller_and_still_whole() -> None:
    small = planned(Wave(number=8, small=True))

    assert len(small) < len(planned())
    assert {name.split(".")[2] for name in small} == {name.split(".")[2] for name in planned()}


@pytest.mark.parametrize("wave", [Wave(number=3), Wave(number=12, small=True)])
def test_a_wave_is_known_again_by_any_of_its_jobs(wave: Wave) -> None:
    assert {Wave.of_job(name) for name in planned(wave)} == {wave}


def test_a_job_of_somebody_else_belongs_to_no_wave() -> None:
    assert Wave.of_job("user.alice.demo.w00001.x") is None


@pytest.mark.parametrize("region", CLOUDS, ids=lambda region: region.name)
def test_each_cloud_has_its_tier_1(region: Region) -> None:
    tier1 = [place for place in SITES if place.cloud == region.name and place.tier == 1]

    assert [place.name for place in tier1] == [region.tier1]


def test_releases_differ_between_the_sites() -> None:
    assert len({place.releases for place in SITES}) >= 3
