"""Nine networks whose weights come with Python packages: their audits, whose figures are committed."""
