"""What the jobs of the demo share, as submissions. Pure."""

from typing import Any

from pandasite.demo.grid import ANALYSIS, CMT_CONFIG

Submission = dict[str, Any]


def analysis_job(name: str, *, source: Submission, output: Submission, **more: Any) -> Submission:
    """Histograms of one event file; the output stays where it is made."""
    return job(
        name,
        transformation="analysis.py",
        job_parameters=f"--input {source['lfn']} --output {output['lfn']}",
        prod_source_label="user",
        processing_type="analysis",
        atlas_release=ANALYSIS,
        input_files=[source],
        output_files=[output],
        **more,
    )


def job(name: str, **fields: Any) -> Submission:
    """A submission with what all jobs of the demo share. Memory and disk in MB, time in s."""
    return {
        "job_name": name,
        "prod_source_label": "managed",
        "homepackage": fields["atlas_release"].replace("-", "Production/", 1),
        "cmt_config": CMT_CONFIG,
        "vo": "atlas",
        "assigned_priority": 500,
        "max_attempt": 3,
        "min_ram_count": 1500,
        "max_disk_count": 200,
        "max_cpu_count": 600,
        "core_count": 1,
        "input_files": [],
        **fields,
    }


def file(lfn: str, scope: str, dataset: str) -> Submission:
    return {"lfn": lfn, "scope": scope, "dataset": dataset}
