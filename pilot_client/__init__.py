"""The pilot: a program on a worker node that fetches a job over HTTP, runs it and reports.

It stands alone: the standard library, requests and psutil, no import shared with the server.
The modules are its stages: facts, claim, stage_in, payload (behind guard), heartbeat, stage_out,
report; `job` strings them together for one job, `pilot` does so for one job after the other.
"""

VERSION = "0.1.0"
