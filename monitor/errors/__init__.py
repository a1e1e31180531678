"""Errors: what failed, what it cost, where and why; and what to do about it."""
