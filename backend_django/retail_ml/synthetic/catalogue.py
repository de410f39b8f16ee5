"""The range: looks of styles that are launched together, their sizes and colours, prices, costs and suppliers."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from retail_ml.synthetic import words
from retail_ml.synthetic.calendar import Calendar
from retail_ml.synthetic.plan import Plan

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

OPENING_STYLES = 78
"""Styles on the first day of a shop of size 1; the number grows with the square root of the orders."""
NEW_LOOKS_A_YEAR = 0.27
"""New looks a year, as a share of those on the first day."""
BASIC_SHARE = 0.4
"""Styles that stay in the range for good; the others end."""
NEVER = 10**9


@dataclass
class Style:
    """One style. `launch` and `end` are positions in the calendar: sold from `launch` to the day before `end`."""

    code: str
    name: str
    category: int
    brand: str
    supplier: int
    description: str
    price: int  # cents
    cost: int  # cents
    taste: int
    look: int
    popularity: float
    launch: int
    end: int
    created: date
    in_sales: bool
    sizes: str
    colours: tuple[str, ...]
    colour_shares: tuple[float, ...]
    pack: int


@dataclass(frozen=True)
class Range:
    """All styles in the order of their launch, and their variants: colour by colour, size by size.

    Arrays named after a style's field run over styles; `style_of`, `share` (of the style's demand), `size_of` run
    over variants. `mates` holds the other styles of the same look (rows of styles, -1: none).
    """

    styles: list[Style]
    category: Ints
    supplier: Ints
    price: Ints
    cost: Ints
    taste: Ints
    popularity: Floats
    launch: Ints
    end: Ints
    mates: Ints
    first_variant: Ints
    n_sizes: Ints
    n_colours: Ints
    colour_steps: Floats
    style_of: Ints
    size_of: Ints
    colour_of: Ints
    share: Floats
    pack: Ints


def make_range(plan: Plan, calendar: Calendar) -> Range:
    """The styles of this shop; those of a longer shop begin with the same ones."""
    looks = max(3, round(OPENING_STYLES * plan.size**0.5 / 4))
    styles: list[Style] = []
    counters = {category.code: 0 for category in words.CATEGORIES}
    number = 0
    for cohort in range(1 + -(-plan.days // 365)):
        generator = plan.stream("range", cohort)
        count = looks if cohort == 0 else max(1, round(looks * NEW_LOOKS_A_YEAR))
        launches = _launches(plan, calendar, cohort, count)
        for season, launch in launches:
            styles += _look(generator, calendar, number, (season, launch, cohort == 0), counters)
            number += 1
    return _arrays([style for style in styles if style.launch < calendar.first + calendar.n])


def _launches(plan: Plan, calendar: Calendar, cohort: int, count: int) -> list[tuple[str, int]]:
    """Season and calendar position of each look of one cohort: most in two drops a year, a few in between."""
    if cohort == 0:
        return [("spring" if i % 2 else "autumn", calendar.first) for i in range(count)]
    generator = plan.stream("launches", cohort)
    begin = calendar.first + 365 * (cohort - 1)
    found = []
    for i in range(count):
        season = "spring" if (i + cohort) % 2 else "autumn"
        if generator.random() < 0.2:
            offset = int(generator.integers(0, 365))
        else:
            day = int((52 if season == "spring" else 240) + generator.integers(0, 32))
            offset = (day - int(calendar.day_of_year[begin])) % 365
        found.append((season, begin + offset))
    return sorted(found, key=lambda pair: pair[1])


def _look(
    generator: np.random.Generator,
    calendar: Calendar,
    number: int,
    when: tuple[str, int, bool],
    counters: dict[str, int],
) -> list[Style]:
    """The four styles of one look: one taste, one name, launched together."""
    season, launch, opening = when
    templates = words.LOOKS[season]
    taste = int(generator.integers(len(words.TASTES)))
    template = templates[int(generator.integers(len(templates)))]
    again = number // len(words.LOOK_NAMES)
    name = words.LOOK_NAMES[(number * 17) % len(words.LOOK_NAMES)] + (f" {_roman(again + 1)}" if again else "")
    age = int(generator.integers(40, 900))
    created = calendar.at(launch) - timedelta(days=age if opening else 0)
    found = []
    for code in template:
        counters[code] += 1
        style = _style(generator, code, counters[code], taste)
        style.name = f"{style.name} {name}"
        style.look, style.launch, style.created = number, launch, created
        basic = generator.random() < BASIC_SHARE
        life = generator.integers(90, 1_000) if opening else generator.integers(240, 520)
        style.end = NEVER if basic else launch + int(life)
        found.append(style)
    return found


def _style(generator: np.random.Generator, code: str, number: int, taste: int) -> Style:
    """One style of a category, with everything but its look."""
    index, category = next((i, c) for i, c in enumerate(words.CATEGORIES) if c.code == code)
    feel = words.TASTES[taste]
    noun, materials = category.kinds[int(generator.integers(len(category.kinds)))]
    material = _pick(generator, materials)
    detail, fit, occasion = (
        _pick(generator, feel.details if category.sizes == "letters" else feel.trims),
        _pick(generator, feel.fits),
        _pick(generator, feel.occasions),
    )
    suppliers = [3] if category.sizes == "shoes" else [0, 1, 2, 4]
    supplier = suppliers[int(generator.integers(len(suppliers)))]
    price = round(100 * category.prices[int(generator.integers(len(category.prices)))])
    fewest, most = category.colours
    colours = int(generator.integers(fewest, most + 1)) if category.sizes == "one" else fewest + (
        most > fewest and generator.random() < 0.45
    )  # fmt: skip
    chosen = generator.choice(len(words.COLOURS), size=colours, replace=False)
    shares = np.sort(generator.dirichlet(np.full(colours, 4.0)))[::-1]
    extra = f", {fit}" if category.sizes == "letters" else ""
    return Style(
        code=f"{code}{number:04d}",
        name=f"{noun} {material}",
        category=index,
        brand=_pick(generator, words.SUPPLIERS[supplier].brands),
        supplier=supplier,
        description=f"{noun} de {material} con {detail}{extra}. De estilo {feel.name}, para {occasion}.",
        price=price,
        cost=round(price * generator.uniform(0.40, 0.55)),
        taste=taste,
        look=-1,
        popularity=category.demand * float(np.exp(generator.normal(0, 0.75))),
        launch=0,
        end=NEVER,
        created=date.min,
        in_sales=bool(generator.random() < 0.75),
        sizes=category.sizes,
        colours=tuple(words.COLOURS[i] for i in chosen),
        colour_shares=tuple(float(share) for share in shares),
        pack=int(generator.choice([1, 1, 1, 2, 3] if category.sizes != "one" else [1, 2, 3, 6])),
    )


def _pick(generator: np.random.Generator, options: tuple[str, ...]) -> str:
    return options[int(generator.integers(len(options)))]


def _roman(number: int) -> str:
    """A small number in Roman numerals.

    >>> [_roman(n) for n in (2, 4, 9, 14, 40)]
    ['II', 'IV', 'IX', 'XIV', 'XL']
    """
    text = ""
    for value, sign in ((50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")):
        while number >= value:
            text, number = text + sign, number - value
    return text


def plain(text: str) -> str:
    """Text without accents, in capital letters: for codes.

    >>> plain("Única")
    'UNICA'
    """
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().upper()


def sku(style: Style, size: int, colour: int) -> str:
    """The variant's number: style, size, and the first letters of the colour's words."""
    letters = "".join(word[:2] for word in plain(style.colours[colour]).split())
    return f"{style.code}-{plain(words.SIZES[style.sizes][size])}-{letters}"


def _arrays(styles: list[Style]) -> Range:
    """The styles as arrays over styles and over variants."""
    n_sizes = np.array([len(words.SIZES[s.sizes]) for s in styles])
    n_colours = np.array([len(s.colours) for s in styles])
    steps = np.ones((len(styles), 3))
    for row, style in enumerate(styles):
        steps[row, : len(style.colours)] = np.cumsum(style.colour_shares)
        steps[row, len(style.colours) - 1 :] = 1.0
    per_style = n_sizes * n_colours
    style_of = np.repeat(np.arange(len(styles)), per_style)
    first = np.concatenate([[0], np.cumsum(per_style)[:-1]])
    place = np.arange(len(style_of)) - first[style_of]
    colour_of, size_of = np.divmod(place, n_sizes[style_of])
    share = np.array([
        styles[s].colour_shares[c] * words.SIZE_SHARES[styles[s].sizes][z]
        for s, c, z in zip(style_of, colour_of, size_of, strict=True)
    ])  # fmt: skip
    return Range(
        styles=styles,
        **{
            name: np.array([getattr(s, name) for s in styles])
            for name in ("category", "supplier", "price", "cost", "taste", "popularity", "launch", "end")
        },
        mates=_mates(np.array([s.look for s in styles])),
        first_variant=first,
        n_sizes=n_sizes,
        n_colours=n_colours,
        colour_steps=steps,
        style_of=style_of,
        size_of=size_of,
        colour_of=colour_of,
        share=share,
        pack=np.array([s.pack for s in styles])[style_of],
    )


def _mates(look: Ints) -> Ints:
    """For each style the rows of the other styles of its look."""
    mates = np.full((len(look), 3), -1)
    for number in np.unique(look):
        rows = np.flatnonzero(look == number)
        for row in rows:
            others = rows[rows != row][:3]
            mates[row, : len(others)] = others
    return mates
