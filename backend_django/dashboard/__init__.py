"""The dashboard: server-rendered pages for the owner, on top of `ml_predictions`."""
