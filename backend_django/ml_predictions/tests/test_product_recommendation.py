"""The service: training, its receipt, and answers that hold only what is on sale and in stock."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from django.db.models import F

from authentication.models import User
from ml_predictions import conf
from ml_predictions.messages import TEXTS, render
from ml_predictions.models import MLModel, ProductRecommendation
from ml_predictions.models_rules import RecommendationRule
from ml_predictions.services import (
    product_recommendation,
    recommendation_answers,
    recommendation_audience,
    recommendation_pages,
    recommendation_version,
)
from ml_predictions.services.product_recommendation import ProductRecommendationService
from ml_predictions.sources.django_shop import DjangoShop
from orders.models import Order, OrderItem
from products.models import Product, ProductVariant
from retail_ml.errors import BadParameter, UnknownId
from retail_ml.recommend import reasons as why_of
from retail_ml.recommend.selection import RUNGS

BEYOND_THE_MODEL = 5
"""Queries an answer may take beside finding the model: the owner's rules, and four for what is live."""


def service() -> ProductRecommendationService:
    return ProductRecommendationService()


def ids(answer: dict) -> list[str]:
    return [item["product_id"] for item in answer["recommendations"]]


def every_answer(top_n: int = 100) -> dict[str, dict]:
    """One answer of every kind, and of every fallback."""
    s = service()
    product, other = (str(pk) for pk in Product.objects.order_by("pk").values_list("pk", flat=True)[:2])
    customer = str(Order.objects.exclude(customer=None).order_by("pk").values_list("customer", flat=True)[0])
    stranger, _ = User.objects.get_or_create(email="new@mail.test", defaults={"role": "customer"})
    new, _ = Product.objects.get_or_create(code="NEW", name="Linen dress new", price=25)
    return {
        "page": s.for_product(product, top_n=top_n),
        "page of a new product": s.for_product(str(new.pk), top_n=top_n),
        "similar": s.similar(product, top_n=top_n),
        "together": s.bought_together(product, top_n=top_n),
        "customer": s.for_customer(customer, top_n=top_n),
        "novel": s.for_customer(customer, top_n=top_n, mode="novel"),
        "repeat": s.for_customer(customer, top_n=top_n, mode="repeat"),
        "stranger": s.for_customer(str(stranger.pk), top_n=top_n),
        "basket": s.for_basket([product, other], top_n=top_n),
        "basket of a customer": s.for_basket([product, other], top_n=top_n, customer_id=customer),
        "empty basket": s.for_basket([], top_n=top_n),
        "basket of a new product": s.for_basket([str(new.pk)], top_n=top_n),
        "trending": s.trending(top_n=top_n),
    }


@pytest.fixture
def trained(shop, run) -> MLModel:
    return service().train(run)


# --- training -------------------------------------------------------------------------------------


def test_a_shop_with_more_lines_than_are_learned_from_says_of_how_many_people_it_learned(shop, run, monkeypatch):
    whole = service().train(run)
    assert whole.receipt["people"] is None
    monkeypatch.setattr(product_recommendation, "MOST_LINES", 400)
    model = service().train(run)
    told = model.receipt["people"]
    assert told["share"] == pytest.approx(400 / len(DjangoShop().order_lines()), abs=1e-3)
    assert model.metrics["total_baskets"] == pytest.approx(told["share"] * whole.metrics["total_baskets"], rel=0.3)
    assert set(told["surfaces"]) <= set(RUNGS)
    for name, figures in told["surfaces"].items():
        surface = model.receipt["surfaces"][name]
        assert figures["ndcg_10"] == surface["measured"]["ndcg_10"]
        assert figures["baseline_ndcg_10"] == surface["baseline"]["ndcg_10"]


def test_training_publishes_metrics_beside_the_baseline(trained, run):
    m = trained.metrics
    assert m["total_products"] == 24
    assert m["total_baskets"] <= 300
    assert m["matrix_nonzeros"] > m["total_baskets"]
    assert m["method"] == trained.model_type
    assert m["method"] in RUNGS["page"]
    for figure in (m["hit_rate_10"], m["ndcg_10"], m["coverage"], m["avg_similarity"], m["baseline"]["hit_rate_10"]):
        assert 0 <= figure <= 1
    assert m["baseline"]["name"] == "popularity"
    assert (m["hit_rate_10"], m["ndcg_10"]) >= (m["baseline"]["hit_rate_10"], m["baseline"]["ndcg_10"])
    assert m["weights"]["kappa"] == 20
    assert set(trained.parameters["served"]) == set(RUNGS)
    assert json.loads(json.dumps(m, allow_nan=False)) == m
    better = (m["hit_rate_10"], m["ndcg_10"]) > (m["baseline"]["hit_rate_10"], m["baseline"]["ndcg_10"])
    assert trained.beats_baseline is (None if m["method"] == "popularity" else better)
    assert trained.receipt["test"]["from"] > trained.receipt["validation"]["to"]
    assert trained.receipt["test"]["to"] == trained.as_of.isoformat() == "2026-06-29"  # the last day is a part day
    assert render(m["why"])
    assert [step for step, _ in run.steps] == sorted(step for step, _ in run.steps)
    assert all(render(step) for _, step in run.steps)
    assert run.result["promoted"] is True


def test_training_again_gives_the_same(trained, run):
    again = service().train(run)
    assert again.version == trained.version + 1
    assert (again.metrics, again.receipt) == (trained.metrics, trained.receipt)
    folder = Path(conf.get("ARTIFACT_ROOT"))
    for file in sorted((folder / trained.artifact).glob("*.npy")):
        assert file.read_bytes() == (folder / again.artifact / file.name).read_bytes()


@pytest.mark.postgres
def test_stored_rows_are_the_pages(trained):
    assert ProductRecommendation.objects.values("model").distinct().count() == 1
    product = str(Product.objects.order_by("pk")[3].pk)
    rows = ProductRecommendation.objects.filter(model=trained, product_id=product).order_by("rank")
    live = service().for_product(product, top_n=100)["recommendations"]
    stored = [(r.recommended_id, r.rank, r.score, r.reason) for r in rows]
    assert len(stored) == 23
    assert stored == [(r["product_id"], r["rank"], r["similarity_score"], r["reason"]) for r in live]


def test_training_takes_no_parameters(shop, run):
    with pytest.raises(BadParameter, match="model_type"):
        service().train(run, model_type="hybrid")


@pytest.mark.parametrize(
    "shape",
    [
        {"orders": 10},
        {"orders": 10, "days": 1},
        {"orders": 30},
        {"orders": 40, "products": 1},
        {"orders": 40, "customers": 1},
        {"orders": 40, "customers": 0},
    ],
    ids=str,
)
def test_small_shops_train_and_answer(make_shop, run, shape):
    make_shop(**shape)
    model = service().train(run)
    assert model.metrics["low_confidence"] is True
    if shape["orders"] < 30 or shape.get("products") == 1:
        assert model.model_type in ("popularity_content", "popularity")
    json.dumps([model.metrics, model.receipt], allow_nan=False)
    product = str(Product.objects.order_by("pk")[0].pk)
    answers = [service().for_product(product), service().trending(), service().for_basket([product])]
    json.dumps(answers, allow_nan=False)
    for answer in answers:
        assert answer["recommendations"] or render(answer["note"])
    if shape.get("products") == 1:
        assert answers[0]["recommendations"] == []
        assert answers[0]["receipt"]["sentence"]["code"] == "recommend.receipt_none"
        assert model.metrics["hit_rate_10"] is None
        assert model.metrics["avg_similarity"] is None
        assert model.beats_baseline is None


def test_a_product_never_sold(shop, run):
    never = Product.objects.create(code="never", name="Cotton dress never sold", price=30)
    ProductVariant.objects.create(product=never, sku="never-S", stock=5)
    service().train(run)
    answer = service().for_product(str(never.pk))
    assert answer["recommendations"]
    assert answer["note"]["code"] == "recommend.no_history"
    alike = service().similar(str(Product.objects.get(code="P000").pk), top_n=100)
    assert str(never.pk) in ids(alike)
    assert {item["reason"]["code"] for item in alike["recommendations"]} == {"recommend.similar"}


def test_where_popularity_is_better_it_serves_and_says_so(shop, run, monkeypatch):
    """A hybrid that ranks upside down must lose, and must not be served."""
    hybrid = RUNGS["page"]["hybrid"]

    class Worse(hybrid):
        def scores(self, batch):
            return 1 - super().scores(batch) / 2

    monkeypatch.setitem(RUNGS["page"], "hybrid", Worse)
    monkeypatch.setitem(RUNGS["page"], "popularity_content", Worse)
    monkeypatch.setitem(RUNGS["customer"], "personal", Worse)
    model = service().train(run)
    assert model.model_type == "popularity"
    assert model.beats_baseline is None  # it is the baseline, and no worse than it
    assert model.metrics["hit_rate_10"] == model.metrics["baseline"]["hit_rate_10"]
    losing = model.receipt["test"]["measures"]["page"]["hybrid"]["hit_rate_10"]
    assert losing < model.metrics["hit_rate_10"]
    assert model.metrics["customer"]["method"] == "popularity"
    product = Product.objects.order_by("pk")[0].pk
    customer = Order.objects.exclude(customer=None).order_by("pk")[0].customer_id
    known = service().for_basket([product], customer_id=customer)  # what he bought was no help: it plays no part
    assert known == service().for_basket([product])


# --- answers --------------------------------------------------------------------------------------


def test_items_have_the_promised_shape(trained):
    for kind, answer in every_answer(top_n=5).items():
        items = answer["recommendations"]
        assert len(items) <= 5
        for place, item in enumerate(items, start=1):
            assert item["rank"] == place
            assert 0 <= item["similarity_score"] <= 1
            product = Product.objects.get(pk=item["product_id"])
            assert item["product_name"] == product.name
            assert item["price"] == float(product.price)
            assert "{" not in render(item["reason"])
            assert set(item) >= {"image_url", "support"}
        if kind == "together":
            assert all({"lift", "share_of_baskets", "share_lower", "baskets"} <= set(item) for item in items)
            assert all(item["lift"] >= 1 and item["baskets"] >= 3 for item in items)
        json.dumps(answer, allow_nan=False)


def bundle(orders: int = 30) -> None:
    """P022 and P023 in one order of their own, again and again: a pattern beyond doubt."""
    variants = [Product.objects.get(code=code).variants.all()[0] for code in ("P022", "P023")]
    for i in range(orders):
        at = datetime(2026, 5, 1 + i % 28, 12, tzinfo=UTC)
        order = Order.objects.create(order_number=f"bundle{i}", status="completed", placed_at=at)
        OrderItem.objects.bulk_create(OrderItem(order=order, variant=v, units=1, unit_price=1) for v in variants)


def test_together_counts_are_those_of_the_database(shop, run):
    bundle()
    service().train(run)
    until = datetime(2026, 6, 29, 22, tzinfo=UTC)  # midnight in Madrid
    baskets = {}
    for order, product in OrderItem.objects.filter(order__placed_at__lt=until).values_list(
        "order_id", "variant__product_id"
    ):
        baskets.setdefault(order, set()).add(str(product))
    pairs = 0
    for product in Product.objects.values_list("pk", flat=True):
        source = str(product)
        with_source = [b for b in baskets.values() if source in b]
        for item in service().bought_together(source, top_n=100)["recommendations"]:
            both = sum(item["product_id"] in b for b in with_source)
            other = sum(item["product_id"] in b for b in baskets.values())
            assert item["baskets"] == item["support"] == both
            assert item["share_of_baskets"] == round(both / len(with_source), 4)
            assert item["lift"] == round(both * len(baskets) / (len(with_source) * other), 3)
            pairs += 1
    assert pairs


def test_fallbacks_say_so(trained):
    answers = every_answer()
    notes = {kind: answer.get("note", {}).get("code") for kind, answer in answers.items()}
    assert notes["page"] is None
    assert notes["page of a new product"] == "recommend.newer_than_model"
    assert notes["stranger"] == "recommend.no_purchases"
    assert notes["empty basket"] == "recommend.empty_basket"
    assert notes["basket of a new product"] == "recommend.unknown_basket"
    for kind in ("page of a new product", "stranger", "empty basket", "basket of a new product"):
        assert answers[kind]["recommendations"], kind
    first = Product.objects.get(pk=ids(answers["page of a new product"])[0])
    assert first.pk  # a new product is answered from its words: those alike come before equally popular others
    alike = service().similar(str(Product.objects.get(code="NEW").pk), top_n=3)
    assert any("Linen" in i["product_name"] or "dress" in i["product_name"] for i in alike["recommendations"])


def test_modes_of_a_customer(trained):
    customer = Order.objects.exclude(customer=None).order_by("pk").values_list("customer", flat=True)[0]
    bought = {
        str(p) for p in OrderItem.objects.filter(order__customer=customer).values_list("variant__product", flat=True)
    }
    answers = {mode: set(ids(service().for_customer(customer, top_n=100, mode=mode))) for mode in ("novel", "repeat")}
    assert answers["repeat"] == bought
    assert answers["novel"]
    assert not answers["novel"] & bought


@pytest.mark.postgres
def test_a_purchase_counts_at_once(trained):
    """History is read live: what was bought after the training is repeated, and no longer novel."""
    customer = User.objects.get(email="c59@mail.test")
    product = Product.objects.order_by("-pk")[0]
    order = Order.objects.create(
        order_number="late", customer=customer, status="completed", placed_at=datetime.now(UTC)
    )
    OrderItem.objects.create(order=order, variant=product.variants.all()[0], units=1, unit_price=1)
    assert str(product.pk) in ids(service().for_customer(customer.pk, mode="repeat", top_n=100))
    assert str(product.pk) not in ids(service().for_customer(customer.pk, mode="novel", top_n=100))


@pytest.mark.postgres
@pytest.mark.parametrize("seed", range(6))
def test_sold_out_and_inactive_products_never_appear(trained, seed):
    rng = np.random.default_rng(seed)
    products = list(Product.objects.order_by("pk"))
    gone = {p.pk for p in products if rng.random() < 0.3}
    Product.objects.filter(pk__in=gone).update(status=str(rng.choice(["inactive", "discontinued"])))
    for product in products:
        fate = rng.integers(4)
        if fate == 0:  # sold out; one variant even below nothing
            product.variants.update(stock=0)
            ProductVariant.objects.filter(pk=product.variants.order_by("pk")[0].pk).update(stock=-3)
            gone.add(product.pk)
        elif fate == 1:  # all promised
            product.variants.update(reserved=F("stock"))
            gone.add(product.pk)
        elif fate == 2:  # what is in stock is not sold any more
            product.variants.update(is_active=False)
            gone.add(product.pk)
        else:  # negative stock in one size, some in the other: on sale
            ProductVariant.objects.filter(pk=product.variants.order_by("pk")[0].pk).update(stock=-50)
    for kind, answer in every_answer().items():
        found = ids(answer)
        assert not {int(i) for i in found} & gone, kind
        assert [item["rank"] for item in answer["recommendations"]] == list(range(1, len(found) + 1))
        assert len(found) == len(set(found))
        assert found or render(answer["note"])
    page = service().for_product(products[0].pk, top_n=100)  # whatever is left is found
    assert {int(i) for i in ids(page)} == {p.pk for p in products} - gone - {products[0].pk}


def test_a_second_look_finds_what_is_in_stock(trained, monkeypatch, django_assert_max_num_queries):
    monkeypatch.setattr(recommendation_answers, "POOL", 3)
    source = Product.objects.get(code="P000")
    best = ids(service().for_product(source.pk, top_n=5))
    Product.objects.filter(pk__in=best[:3]).update(status="inactive")
    with django_assert_max_num_queries(1 + BEYOND_THE_MODEL):
        found = ids(service().for_product(source.pk, top_n=1))
    assert found == best[3:4]


@pytest.mark.postgres
def test_answers_take_few_queries(trained, django_assert_max_num_queries):
    every_answer()  # what is cached per process is
    product, other = Product.objects.order_by("pk")[:2]
    new = Product.objects.get(code="NEW")
    stranger = User.objects.get(email="new@mail.test")
    customer = Order.objects.exclude(customer=None).order_by("pk")[0].customer_id
    calls = [
        lambda s: s.for_product(product.pk, top_n=100),
        lambda s: s.for_product(new.pk, top_n=100),
        lambda s: s.similar(product.pk, top_n=100),
        lambda s: s.bought_together(product.pk, top_n=100),
        lambda s: s.for_customer(customer, top_n=100),
        lambda s: s.for_customer(customer, top_n=100, mode="repeat"),
        lambda s: s.for_customer(stranger.pk, top_n=100),
        lambda s: s.for_basket([product.pk, other.pk], top_n=100),
        lambda s: s.for_basket([product.pk, other.pk], top_n=100, customer_id=customer),
        lambda s: s.for_basket([product.pk], top_n=100, customer_id=stranger.pk),
        lambda s: s.trending(top_n=100),
    ]
    for call in calls:
        with django_assert_max_num_queries(1 + BEYOND_THE_MODEL):
            call(service())


def test_unknown_ids_and_bad_numbers(trained):
    s = service()
    product = Product.objects.order_by("pk")[0].pk
    for unknown in ("999999", "no-such", ""):
        for call in (s.for_product, s.similar, s.bought_together, s.for_customer, lambda p: s.for_basket([product, p])):
            with pytest.raises(UnknownId) as error:
                call(unknown)
            assert unknown in error.value.details.values()
        with pytest.raises(UnknownId):
            s.for_basket([product], customer_id=unknown)
    for top_n in (0, 101, -1, True, 2.5, "3"):
        with pytest.raises(BadParameter, match="top_n"):
            s.for_product(product, top_n=top_n)
    with pytest.raises(BadParameter, match="sometimes"):
        s.for_customer("1", mode="sometimes")


def test_a_deleted_product_is_unknown_and_never_recommended(trained):
    extra = Product.objects.create(code="brief", name="Linen dress brief", price=25)
    variant = ProductVariant.objects.create(product=extra, sku="brief-S", stock=5)
    service().train(type("Run", (), {"log_id": None, "progress": print, "published": print})())
    pk = extra.pk
    variant.delete()
    extra.delete()
    with pytest.raises(UnknownId):
        service().for_product(pk)
    for answer in every_answer().values():
        assert str(pk) not in ids(answer)


def test_stored_rows_serve_when_the_file_is_refused(trained):
    product = Product.objects.order_by("pk")[3].pk
    before = ids(service().for_product(product, top_n=5))
    file = Path(conf.get("ARTIFACT_ROOT")) / trained.artifact / "together_score.npy"
    file.write_bytes(file.read_bytes()[:-1] + b"\x01")
    from ml_predictions import artifacts
    from ml_predictions.services import product_recommendation

    artifacts.load.cache_clear()
    product_recommendation._load_tables.cache_clear()
    answer = service().for_product(product, top_n=5)
    assert ids(answer) == before
    assert answer["note"]["code"] == "recommend.stored_rows"


def test_texts_fit_their_figures():
    """Every message that this service can store is in the texts, and every text of it is used somewhere."""
    used = ""
    for module in (recommendation_answers, recommendation_audience, recommendation_pages, recommendation_version):
        used += Path(module.__file__).read_text()
    used += Path(recommendation_answers.__file__).with_name("product_recommendation.py").read_text()
    mine = {code for code in TEXTS if code.startswith("recommend.")}
    steps = {f"recommend.step_{step}" for step in ("validate", "test", "fit")}
    reasons = Path(why_of.__file__).read_text()  # there a code stands without the service's name before it
    told = {code for code in mine if f'"{code.partition(".")[2]}"' in reasons}
    assert {code for code in mine - steps - told if f'"{code}"' not in used} == set()


def test_sets_hold_what_sells_together_is_in_stock_and_not_excluded(shop, run):
    bundle()
    service().train(run)
    pair = [Product.objects.get(code=code) for code in ("P022", "P023")]
    names = {str(product.pk) for product in pair}
    (found,) = [one for one in service().sets() if {p["product_id"] for p in one["products"]} >= names]
    assert found["baskets"] >= 30
    assert found["lift"] > 1
    assert found["price"] == sum(float(Product.objects.get(pk=p["product_id"]).price) for p in found["products"])
    shown = [p["product_id"] for one in service().sets() for p in one["products"]]
    assert len(shown) == len(set(shown))
    RecommendationRule.objects.create(kind="exclude", object_id=str(pair[0].pk))
    assert str(pair[0].pk) not in {p["product_id"] for one in service().sets() for p in one["products"]}
    RecommendationRule.objects.all().delete()
    ProductVariant.objects.filter(product=pair[1]).update(stock=0)
    assert str(pair[1].pk) not in {p["product_id"] for one in service().sets() for p in one["products"]}
