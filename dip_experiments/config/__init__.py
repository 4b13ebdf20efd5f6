"""Typed settings, what Hydra composes of them, and the id of a run."""
