"""What a device is and what it can do: read off it, or measured."""
