"""Durations for a terminal."""


def format_duration(seconds: float) -> str:
    """Return a duration with a unit: 40 s, 3 min, 2.5 h, 3 days."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 172800:
        return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.0f} days"
