"""The production database: task requests and job definitions of production managers.

A database of its own, with its own credentials; whoever else works with it uses SQL. Others of this
house come in by `jobs.proddb.door`, and by nothing else. See docs/proddb.md.
"""
