"""The whole thing, run for real and hurt on purpose: no job may be lost, none run twice."""
