//! Models of Python.

use insta::assert_json_snapshot;

use super::{found, names};

#[test]
fn pydantic_models_and_those_that_derive_from_them() {
    let files = [
        (
            "app/schemas.py",
            r#"from enum import Enum
from typing import Annotated, ClassVar
from pydantic import BaseModel, Field, field_validator
from pydantic_settings import BaseSettings

class Color(str, Enum):
    red = "red"

class ItemBase(BaseModel):
    """What items share."""
    model_config = {"from_attributes": True}
    limit: ClassVar[int] = 3
    name: str = Field(..., max_length=200)  # shown
    price: Annotated[
        float,
        Field(gt=0),  # more than nothing
    ]
    tags: list[str] = []
    note: str | None = None
    sku: str = Field(min_length=3)
    stock: int = Field(default=0)
    color: Color

    class Config:
        orm_mode = True

    @field_validator("name")
    def check(cls, value):
        inner: int = 3
        return value

class ItemCreate(ItemBase):
    pass

class Settings(BaseSettings):
    key: str
"#,
        ),
        (
            "app/more.py",
            "from app.schemas import ItemBase\nclass Item(ItemBase, table=False):\n    id: int\n",
        ),
    ];
    assert_json_snapshot!(found(&files));
}

#[test]
fn dataclasses_typed_dicts_and_attrs() {
    let file = "from dataclasses import dataclass, field\nimport attr\nfrom typing import TypedDict, NotRequired\n\
                @dataclass(frozen=True)\nclass Point:\n    x: int\n    y: int = 0\n    tags: list = field(default_factory=list)\n\
                @attr.s(auto_attribs=True)\nclass Box:\n    side: float\n\
                class Row(TypedDict):\n    id: int\n    note: NotRequired[str]\nclass Plain:\n    x: int\n";
    assert_json_snapshot!(found(&[("points.py", file)]));
}

#[test]
fn sqlalchemy_in_its_three_styles_and_sqlmodel() {
    let files = [
        (
            "db.py",
            "from sqlalchemy import Column, Integer, String, ForeignKey, Table, MetaData\nfrom sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship\n\
             metadata = MetaData()\nusers = Table(\n    'users', metadata,\n    Column('id', Integer, primary_key=True),\n    Column('name', String(50), nullable=False),  # shown\n)\n\
             class Base(DeclarativeBase):\n    pass\nclass Stamped:\n    at = Column(Integer, server_default='0')\n\
             class User(Base, Stamped):\n    __tablename__ = 'u'\n    id: Mapped[int] = mapped_column(primary_key=True)\n    name: Mapped[str] = mapped_column(String(30))\n\
             \x20   nick: Mapped[str | None]\n    items: Mapped[list['Item']] = relationship(back_populates='owner')\n\
             class Item(Base):\n    id = Column(Integer, primary_key=True)\n    title = Column('t', String(80), nullable=False)\n    owner = relationship('User')\n",
        ),
        (
            "flask_models.py",
            "from flask_sqlalchemy import SQLAlchemy\ndb = SQLAlchemy()\nclass Post(db.Model):\n    id = db.Column(db.Integer, primary_key=True)\n    body = db.Column(db.Text, nullable=False)\n",
        ),
        (
            "sm.py",
            "from sqlmodel import Field, SQLModel, Relationship\nclass HeroBase(SQLModel):\n    name: str = Field(index=True)\n    age: int | None = None\n\
             class Hero(HeroBase, table=True):\n    id: int | None = Field(default=None, primary_key=True)\n",
        ),
    ];
    assert_json_snapshot!(found(&files));
}

#[test]
fn django_and_documents() {
    let files = [
        (
            "shop/models.py",
            "from django.db import models\nfrom django.contrib.auth.models import AbstractUser\n\
             class Stamped(models.Model):\n    at = models.DateTimeField(auto_now_add=True)\n    class Meta:\n        abstract = True\n\
             class Customer(AbstractUser):\n    phone = models.CharField(max_length=20, blank=True)\n\
             class Order(Stamped):\n    \"\"\"One order.\"\"\"\n    STATES = [('a', 'A')]\n    customer = models.ForeignKey('Customer', on_delete=models.CASCADE)\n\
             \x20   total = models.DecimalField(max_digits=8, decimal_places=2)\n    tags = models.ManyToManyField(Tag, blank=True)\n    objects = OrderManager()\n    def __str__(self):\n        return 'x'\n",
        ),
        ("docs.py", "from beanie import Document\nclass Note(Document):\n    text: str\n"),
    ];
    assert_json_snapshot!(found(&files));
}

#[test]
fn names_that_several_packages_use_are_told_apart() {
    let files = [
        (
            "a.py",
            "from peewee import Model, CharField\nclass BaseModel(Model):\n    class Meta: ...\nclass P(BaseModel):\n    name = CharField()\n",
        ),
        (
            "b.py",
            "from tortoise import fields, models\nclass T(models.Model):\n    id = fields.IntField(pk=True)\n",
        ),
        ("c.py", "class Base: ...\nclass C(Base):\n    x: int\n"),
        ("tests/d.py", "from pydantic import BaseModel\nclass D(BaseModel):\n    x: int\n"),
    ];
    assert_eq!(names(&files), ["P Peewee", "T Tortoise"]);
}

#[test]
fn what_is_whole_is_read_when_something_else_is_broken() {
    let file = "from pydantic import BaseModel\nclass A(BaseModel):\n    x: int = Field(\nclass B(BaseModel):\n    y: str\nclass C(BaseModel\n    z: str\n";
    assert!(names(&[("m.py", file)]).contains(&"B Pydantic".to_owned()));
}
