"""Figures and tables from stored runs; no PyTorch."""
