"""What computes a model job on a device or on this host."""
