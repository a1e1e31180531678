"""Bamboo in the monitor: its rounds, how tasks got their clouds, what was submitted."""
