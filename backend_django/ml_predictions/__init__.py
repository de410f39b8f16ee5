"""The reusable app: reads a shop, runs the mathematics, keeps and serves the results."""
