"""What people ask for by name, a file per family."""
