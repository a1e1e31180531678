"""The DDM dashboard: what moves between clouds, sites and storage elements, and what does not."""
