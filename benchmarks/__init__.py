"""Benchmarks of cymlp: ``python -m benchmarks`` lists them."""
