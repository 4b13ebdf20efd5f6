"""From the store to figures and tables."""
