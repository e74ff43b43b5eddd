"""Metrics, one a file: of ranks, of ratings, or of lists; by user, or of many users together."""
