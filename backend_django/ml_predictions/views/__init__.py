"""The calls of the API: validate, call, answer."""
