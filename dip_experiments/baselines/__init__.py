"""Other methods, which a fit is compared with."""
