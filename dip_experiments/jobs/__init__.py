"""Many runs of one request: the state of its jobs, the progress of a sweep, a search."""
