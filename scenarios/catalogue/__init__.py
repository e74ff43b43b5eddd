"""What there is to choose and to set: all keys and all methods, as data, text and a page."""
