"""Tasks: what was measured, the operator the fit looks through, and the energy."""
