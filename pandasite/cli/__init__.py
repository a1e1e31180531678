"""The command line for people. It speaks `/rest/v1` alone, and imports nothing of the server."""
