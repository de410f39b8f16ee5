"""What to offer: beside a product, to a customer, into a basket, to everybody.

`Sales` holds the shop's baskets, `Tables` what is learned of them (and nothing else is stored), the classes of
`models` are the rules that turn tables into a ranking, `evaluation` measures them on baskets they have not seen.
"""
