"""What goes wrong, to phones, links, servers and releases."""
