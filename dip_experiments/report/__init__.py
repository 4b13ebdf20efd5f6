"""One page of all runs, figures and tables, made from the store alone: it opens from the disk, without a server."""
