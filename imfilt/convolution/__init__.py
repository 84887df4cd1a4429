"""The algebra: kernels for the engine, one file per operation."""
