"""Customers' values and segments against published values, lifetimes, naive methods and an unconstrained K-Means."""
