"""The transformations of PanDA's `prun`, as programs of one file each: run, build and merge.

The server makes each of them by putting modules of this folder one after the other (`programs`),
and hands them out at /trf/user/<name>. They run on worker nodes, with Python 3.9 or newer and
nothing else: these modules import the standard library and each other, and `programs` alone is the
server's own.
"""
