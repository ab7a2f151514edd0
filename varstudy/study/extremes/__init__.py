"""Search for rows on which a formula errs most, the worst ones that are known, and their replay."""
