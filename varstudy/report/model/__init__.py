"""Results in, plain values out: what the sections of the report show."""
