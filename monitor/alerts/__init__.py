"""Alerts that people set for themselves: a task ended, fails a lot, or does not get on."""
