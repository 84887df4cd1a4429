"""Image files <-> arrays. The command line is the only caller."""
