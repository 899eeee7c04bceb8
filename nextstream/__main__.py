"""Makes `python -m nextstream` the command line."""

from nextstream.cli import main

main(prog_name="nextstream")
