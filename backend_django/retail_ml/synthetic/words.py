"""The words of the boutique: categories with their prices and seasons, brands, suppliers, names of people."""

from __future__ import annotations

from dataclasses import dataclass

SIZES: dict[str, tuple[str, ...]] = {
    "letters": ("XS", "S", "M", "L", "XL"),
    "shoes": ("36", "37", "38", "39", "40", "41"),
    "one": ("Única",),
}
SIZE_SHARES: dict[str, tuple[float, ...]] = {
    "letters": (0.10, 0.25, 0.32, 0.22, 0.11),
    "shoes": (0.09, 0.18, 0.26, 0.25, 0.15, 0.07),
    "one": (1.0,),
}


@dataclass(frozen=True)
class Category:
    """One category: words, prices (EUR), and how its demand moves with the year."""

    name: str
    code: str
    sizes: str
    kinds: tuple[tuple[str, tuple[str, ...]], ...]  # what it is called, and what it may be made of
    prices: tuple[float, ...]
    demand: float  # how much a style of it sells, relative to the others
    season: float  # 0: the same all year … 1: nothing at all in the wrong season
    peak: int  # day of the year on which it sells best
    colours: tuple[int, int]  # fewest and most colours of a style
    several: float  # chance that a line is for more than one unit


CATEGORIES: tuple[Category, ...] = (
    Category("Vestidos", "VE", "letters",
             (("Vestido", ("lino", "viscosa", "algodón")), ("Vestido midi", ("satén", "punto", "viscosa")),
              ("Vestido camisero", ("popelín", "lino", "denim")), ("Vestido largo", ("viscosa", "satén", "algodón"))),
             (39.95, 45.95, 49.95, 59.95, 69.95, 89.95), 1.2, 0.50, 172, (1, 2), 0.01),
    Category("Blusas y camisas", "BL", "letters",
             (("Blusa", ("viscosa", "seda", "algodón")), ("Camisa", ("popelín", "lino", "algodón")),
              ("Blusón", ("lino", "algodón")), ("Camisa oversize", ("popelín", "viscosa"))),
             (29.95, 32.95, 35.95, 39.95, 49.95), 1.1, 0.20, 140, (1, 2), 0.03),
    Category("Camisetas", "CA", "letters",
             (("Camiseta", ("algodón", "lino", "modal")), ("Camiseta básica", ("algodón", "algodón orgánico")),
              ("Top", ("modal", "punto")), ("Camiseta rayas", ("algodón", "algodón orgánico"))),
             (12.95, 15.95, 17.95, 19.95, 24.95), 1.5, 0.40, 185, (1, 2), 0.14),
    Category("Punto", "PU", "letters",
             (("Jersey", ("lana", "mohair", "algodón")), ("Cárdigan", ("lana", "alpaca", "mohair")),
              ("Jersey cuello alto", ("cachemira", "lana")), ("Chaleco", ("lana", "algodón"))),
             (29.95, 35.95, 39.95, 49.95, 69.95), 1.1, 0.65, 350, (1, 2), 0.02),
    Category("Pantalones", "PA", "letters",
             (("Pantalón", ("algodón", "sarga", "lino")), ("Vaquero", ("denim", "denim elástico")),
              ("Pantalón palazzo", ("crepé", "lino", "viscosa")), ("Pantalón pinzas", ("crepé", "sarga"))),
             (35.95, 39.95, 45.95, 49.95, 59.95), 1.2, 0.10, 290, (1, 2), 0.02),
    Category("Faldas", "FA", "letters",
             (("Falda midi", ("satén", "viscosa")), ("Falda", ("denim", "algodón")),
              ("Falda plisada", ("satén", "viscosa")), ("Falda pantalón", ("algodón", "lino"))),
             (25.95, 29.95, 35.95, 39.95, 45.95), 0.8, 0.35, 160, (1, 1), 0.01),
    Category("Abrigos y chaquetas", "AB", "letters",
             (("Abrigo", ("lana", "paño", "acolchado")), ("Chaqueta", ("antelina", "denim", "paño")),
              ("Gabardina", ("algodón",)), ("Blazer", ("lana", "crepé"))),
             (69.95, 79.95, 89.95, 119.00, 149.00, 179.00), 0.7, 0.80, 322, (1, 2), 0.00),
    Category("Zapatos", "ZA", "shoes",
             (("Botín", ("piel", "ante")), ("Bailarina", ("piel", "charol")), ("Mocasín", ("piel", "ante", "charol")),
              ("Zapatilla", ("lona", "piel"))),
             (45.95, 49.95, 59.95, 79.95, 99.00), 0.9, 0.35, 310, (1, 1), 0.01),
    Category("Sandalias", "SA", "shoes",
             (("Sandalia", ("piel", "ante")), ("Alpargata", ("yute", "lona")), ("Sandalia tacón", ("piel", "ante")),
              ("Cuña", ("yute", "rafia"))),
             (35.95, 39.95, 45.95, 59.95), 0.8, 0.90, 170, (1, 1), 0.01),
    Category("Bolsos", "BO", "one",
             (("Bolso", ("piel", "ante", "lona")), ("Bandolera", ("piel", "ante")), ("Capazo", ("rafia", "palma")),
              ("Bolso shopper", ("lona", "piel"))),
             (24.95, 35.95, 49.95, 69.95, 99.00), 0.9, 0.10, 355, (2, 3), 0.01),
    Category("Complementos", "CO", "one",
             (("Pañuelo", ("seda", "algodón")), ("Cinturón", ("piel", "ante")),
              ("Pendientes", ("plata", "latón dorado")),
              ("Bufanda", ("lana", "algodón")), ("Collar", ("plata", "cuentas"))),
             (7.95, 9.95, 12.95, 15.95, 19.95, 29.95), 1.3, 0.25, 352, (2, 3), 0.16),
)  # fmt: skip

LOOKS: dict[str, tuple[tuple[str, ...], ...]] = {
    "spring": (
        ("VE", "SA", "BO", "CO"),
        ("CA", "FA", "SA", "CO"),
        ("BL", "PA", "SA", "BO"),
        ("VE", "CA", "SA", "CO"),
        ("BL", "FA", "ZA", "BO"),
    ),
    "autumn": (
        ("PU", "PA", "AB", "ZA"),
        ("BL", "PA", "AB", "BO"),
        ("PU", "FA", "ZA", "CO"),
        ("VE", "AB", "ZA", "BO"),
        ("CA", "PU", "PA", "CO"),
    ),
}
"""Which categories are worn together: the members of a look are bought together more often than by chance."""

COLOURS = (
    "negro",
    "blanco roto",
    "azul marino",
    "camel",
    "rojo",
    "verde oliva",
    "rosa palo",
    "gris",
    "mostaza",
    "terracota",
)


@dataclass(frozen=True)
class Taste:
    """A taste that customers and looks share; its words stand in the descriptions."""

    name: str
    details: tuple[str, ...]
    fits: tuple[str, ...]
    occasions: tuple[str, ...]
    trims: tuple[str, ...]  # for shoes, bags and accessories


TASTES: tuple[Taste, ...] = (
    Taste("clásico", ("botones forrados", "cuello camisero", "pinzas marcadas", "vivos en contraste"),
          ("corte recto", "corte entallado", "línea sastre"),
          ("la oficina", "una reunión importante", "un evento formal"),
          ("hebilla dorada", "costura fina", "acabado pulido")),
    Taste("romántico", ("volantes", "encaje", "manga farol", "lazada en la cintura"),
          ("corte fluido", "silueta evasé", "caída suave"),
          ("una boda de día", "una cena a dos", "una tarde de paseo"),
          ("lazo", "flor de adorno", "detalle de perlas")),
    Taste("urbano", ("cremalleras metálicas", "bolsillos de parche", "costuras vistas", "acabado lavado"),
          ("corte oversize", "corte recto", "silueta ancha"),
          ("el fin de semana", "un concierto", "moverse por la ciudad"),
          ("herrajes metálicos", "cadena", "tachuelas")),
    Taste("natural", ("bordado a mano", "cordón ajustable", "tejido rústico", "tinte vegetal"),
          ("corte holgado", "patrón amplio", "caída ligera"),
          ("las vacaciones", "un día de playa", "una escapada al campo"),
          ("trenzado a mano", "flecos", "acabado natural")),
)  # fmt: skip

LOOK_NAMES = (
    "Alba", "Alma", "Amapola", "Arena", "Aurora", "Azahar", "Brisa", "Bruma", "Cala", "Candela", "Carmen", "Celia",
    "Clara", "Dalia", "Duna", "Elena", "Emma", "Estela", "Flora", "Gala", "Greta", "Iria", "Iris", "Jara", "Julia",
    "Lago", "Lara", "Leire", "Lola", "Lucía", "Luna", "Mara", "Marina", "Menta", "Mimosa", "Nerea", "Nieve", "Noa",
    "Nora", "Olivia", "Paloma", "Perla", "Retama", "Rocío", "Salvia", "Sol", "Tilo", "Vega", "Vera", "Zoe",
)  # fmt: skip


@dataclass(frozen=True)
class SupplierWords:
    """One supplier: its true lead time in days (mean, standard deviation) and the order value it asks for (EUR)."""

    name: str
    email: str
    lead_mean: float
    lead_sd: float
    minimum: int
    weekday: int  # the day of the week on which the shop orders from it, Monday 0
    brands: tuple[str, ...]


SUPPLIERS: tuple[SupplierWords, ...] = (
    SupplierWords("Textiles Duero", "pedidos@textilesduero.example", 5, 1.2, 120, 0, ("Casa Lirio", "Tinta Clara")),
    SupplierWords("Talleres Levante", "ventas@tallereslevante.example", 9, 2.5, 180, 1, ("Marea Sur",)),
    SupplierWords("Atelier Lisboa", "encomendas@atelierlisboa.example", 14, 3.5, 250, 2, ("Olmo & Hilo",)),
    SupplierWords("Calzados Almansa", "comercial@calzadosalmansa.example", 18, 5.0, 300, 3, ("Paso Fino",)),
    SupplierWords("Importadora Oriente", "orders@importadoraoriente.example", 32, 8.0, 400, 4, ("Nudo", "La Costura")),
)

FIRST_NAMES = (
    "María", "Carmen", "Ana", "Isabel", "Laura", "Cristina", "Marta", "Lucía", "Paula", "Elena", "Sara", "Raquel",
    "Pilar", "Rosa", "Beatriz", "Silvia", "Patricia", "Nuria", "Irene", "Julia", "Alba", "Inés", "Teresa", "Rocío",
    "Eva", "Sofía", "Mercedes", "Andrea", "Noelia", "Lorena", "Javier", "Carlos", "Miguel", "Pablo", "Daniel", "Luis",
)  # fmt: skip
LAST_NAMES = (
    "García", "Fernández", "González", "Rodríguez", "López", "Martínez", "Sánchez", "Pérez", "Gómez", "Martín",
    "Jiménez", "Ruiz", "Hernández", "Díaz", "Moreno", "Muñoz", "Álvarez", "Romero", "Alonso", "Gutiérrez", "Navarro",
    "Torres", "Domínguez", "Vázquez", "Ramos", "Gil", "Serrano", "Blanco", "Molina", "Castro", "Ortega", "Rubio",
    "Marín", "Sanz", "Iglesias", "Medina", "Garrido", "Cortés", "Castillo", "Santos", "Lozano", "Guerrero",
)  # fmt: skip
