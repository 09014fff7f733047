"""The networks, their weights with a checked header, and the registry that finds them."""
