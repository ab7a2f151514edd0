"""What ptxas makes of the committed PTX: gates, resources, occupancy, loads in flight."""
