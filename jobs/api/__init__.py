"""The REST door /rest/v1/: translation between HTTP and the services, nothing else."""
