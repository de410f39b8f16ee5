"""Whom the shop buys from: suppliers, what they supply, purchase orders."""
