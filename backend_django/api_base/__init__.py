"""What every app's API is made of: strict bodies, strict lists, refusals, permissions, audit. It knows no app."""
