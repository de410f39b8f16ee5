"""What the shop sells: categories, products, variants and their stock."""
