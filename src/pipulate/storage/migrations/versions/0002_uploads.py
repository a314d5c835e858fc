"""Uploads: files that were sent for a field and wait to be part of an answer."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "uploads",
        sa.Column("id", text, primary_key=True, comment="made by the server"),
        sa.Column("run", text, sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("owner", text, nullable=False),
        sa.Column("step", text, nullable=False),
        sa.Column("field", text, nullable=False),
        sa.Column("name", text, nullable=False, comment="what the person called it; never a path"),
        sa.Column("media_type", text, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", text, nullable=False),
        sa.Column("at", text, nullable=False),
        sa.Column("taken_at", text, comment="when a value took it; null while it waits"),
    )
    op.create_index("uploads_run", "uploads", ["run", "step"])
    waiting = sa.text("taken_at IS NULL")
    op.create_index("uploads_waiting", "uploads", ["owner", "at"], sqlite_where=waiting, postgresql_where=waiting)
