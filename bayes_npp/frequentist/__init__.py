"""Frequentist estimators: they take a Design or a Panel and a Spec, and return Estimates."""
