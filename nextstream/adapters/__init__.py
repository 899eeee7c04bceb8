"""One file for each vendor, where its errors become ours; and the ports' in-memory twins."""
