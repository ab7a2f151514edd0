"""The normalisation layers of whole networks: what each computes with, on the user's data, and where a format fails."""
