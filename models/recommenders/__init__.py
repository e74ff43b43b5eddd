"""What scores items for users."""
