"""Speed next to accuracy: on the CPU (`cpu`) and on a GPU (`gpu`)."""
