"""Records with a key and a link, for the journey of an import."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from pipulate import Resource


class Product(BaseModel):
    """A thing that is sold."""

    sku: str
    name: Annotated[str, Field(min_length=2)]
    price: float = 0.0


products = Resource("products", Product, key="sku", sort="sku")
