"""Speed and accuracy together: on the CPU (`cpu`) and on a GPU (`gpu`), with interleaved rounds (`timing`)."""
