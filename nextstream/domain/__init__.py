"""The rules and the values: pure, without I/O, framework or environment."""
