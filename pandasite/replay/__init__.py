"""Replays the log of a real grid or cluster: its submit times, run times, users and groups.

swf.py reads the Standard Workload Format and work.py says what is to be done when (both pure);
entry.py submits, fleet.py are pilots on a virtual clock, simulate.py turns it. docs/replay.md.
"""
