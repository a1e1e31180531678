"""Worker nodes: which of them fail more than the others, and keeping them from jobs."""
