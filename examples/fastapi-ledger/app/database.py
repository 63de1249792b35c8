import os

from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, sessionmaker

engine = create_engine(os.environ["DATABASE_URL"], pool_size=2)
Session = sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass
