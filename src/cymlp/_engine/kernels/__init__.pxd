"""The kernels: loops over elements, matrix products, update rules. No Python inside."""
