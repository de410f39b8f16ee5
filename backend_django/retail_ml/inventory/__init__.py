"""Inventory: how much of each variant to keep, when to reorder, what is wrong on the shelf.

`formulas` textbook results · `history` what was sold · `demand` mean and variance per variant · `policy` levels and
quantities · `plan` from a shop's tables to levels · `live` levels against today's stock · `alerts` · `health` ·
`budget` · `replay`. All of it works on arrays with one entry per variant.
"""
