"""A network: one vector of parameters, its initial values, its outputs."""

from cymlp._network.initializers import initializer
from cymlp._network.network import Network

__all__ = ["Network", "initializer"]
