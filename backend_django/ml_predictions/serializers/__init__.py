"""What the API takes and gives: `inputs` (bodies and queries), `records` (rows), `answers` (documented shapes)."""
