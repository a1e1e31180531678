"""The parameters that PanDA's prun sends, as a task request of ours: a translation, no more.

Pure: no database. What cannot be had here is refused with its name, all of it at once; which field
becomes what stands in docs/panda-tasks.md.
"""
