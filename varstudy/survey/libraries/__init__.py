"""The libraries whose variance functions are measured, and how each is called."""
