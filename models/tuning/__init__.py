"""Rules that adapt a cloud's model on the phone."""
