"""One configuration, one finished run: validated, built, fitted or resumed, found again."""
