"""Many runs of one request: results of its jobs, progress of a sweep, a search."""
