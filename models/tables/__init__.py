"""Embedding tables: from ids to vectors under a budget of bytes."""
