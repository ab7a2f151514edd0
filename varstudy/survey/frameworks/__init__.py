"""The frameworks whose normalisation layers are measured, and how each is asked."""
