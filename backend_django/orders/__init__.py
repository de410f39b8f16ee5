"""What the shop sold: orders, their lines, their returns."""
