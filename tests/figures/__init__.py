"""Scripts that measure what we promise: `python -m tests.figures.NAME` prints one table each."""
