"""Bayesian estimators: they take a Design and a prior set, and return a Fit whose Estimates share the common table."""
