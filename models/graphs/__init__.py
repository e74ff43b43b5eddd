"""Propagation over interactions as a graph."""
