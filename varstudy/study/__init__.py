"""The study: feature maps, exact truth, error bounds, scores, and the tables that they make."""
