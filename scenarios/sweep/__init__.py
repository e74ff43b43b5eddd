"""Many runs from one file: which there are, who plays them, and what is done already."""
