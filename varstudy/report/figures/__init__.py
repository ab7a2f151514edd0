"""The figures, one module each: rows of the table in, a drawing and a paragraph that says what it shows out."""
