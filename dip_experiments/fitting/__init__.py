"""Fitting one network to one image with Lightning."""
