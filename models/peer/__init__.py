"""Rules of learning without a server, or with one that only groups."""
