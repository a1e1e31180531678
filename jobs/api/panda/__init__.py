"""PanDA's own wire: a translation onto the services that our REST calls, and nothing else.

docs/panda-compatibility.md has a row for each of PanDA's addresses.
"""
