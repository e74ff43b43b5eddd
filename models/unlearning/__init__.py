"""What is done so that those are forgotten who ask for it."""
