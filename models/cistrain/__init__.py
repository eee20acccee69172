"""Training of the networks of a model bundle: see models/README.md."""
