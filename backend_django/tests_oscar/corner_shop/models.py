"""A shop that somebody has written for themselves."""

from django.conf import settings
from django.db import models


class Style(models.Model):
    """What a shopper sees."""

    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=40)
    about = models.TextField(blank=True)
    price = models.DecimalField(max_digits=8, decimal_places=2)
    on_sale = models.BooleanField(default=True)


class Item(models.Model):
    """What hangs on the rail."""

    style = models.ForeignKey(Style, models.CASCADE)
    code = models.CharField(max_length=20, unique=True)
    left = models.IntegerField(default=0)
    put_by = models.IntegerField(default=0)


class Sale(models.Model):
    """One ticket."""

    number = models.CharField(max_length=20, unique=True)
    at = models.DateTimeField(db_index=True)
    buyer = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True)
    paid_in = models.CharField(max_length=3, default="EUR")
    paid = models.BooleanField(default=True)


class Row(models.Model):
    """One line of it."""

    sale = models.ForeignKey(Sale, models.CASCADE)
    item = models.ForeignKey(Item, models.PROTECT)
    count = models.IntegerField()
    price = models.DecimalField(max_digits=8, decimal_places=2)
