"""Sales forecast: daily revenue and units of a shop, its categories and its products.

`calendar` learns when the shop is closed, `history` holds the daily series, `features` makes leakage-free rows,
`models` has everything that forecasts, `backtest` replays the past, `metrics` measures it, `selection` chooses,
`intervals` (shop, categories) and `volume_bins` (products) turn the errors of the replay into widths, `levels`
puts them together.
"""
