"""What a learning method fills in, and what it may rely on."""
