"""What is done to messages on their way, and what a receiver refuses."""
