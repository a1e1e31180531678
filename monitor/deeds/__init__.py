"""What people did here: to sites, jobs, tasks, nodes and data, and why."""
