"""Admin pages of tasks, jobs and their history, pilots, error meanings, tokens and accounts."""

from jobs.admin import accounts, books, pilots, quotas, sandboxes, shares, work

__all__ = ["accounts", "books", "pilots", "quotas", "sandboxes", "shares", "work"]
