"""What other people's software does: frameworks and libraries, observed, inferred and scored."""
