from alembic import context

from app.database import Base, engine
from app import models  # noqa: F401, so that its tables are known

with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata)
    with context.begin_transaction():
        context.run_migrations()
