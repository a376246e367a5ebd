"""A network: one vector of parameters, its initial values, its outputs and its gradient."""
