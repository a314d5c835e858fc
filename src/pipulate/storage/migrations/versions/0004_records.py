"""Records: which tables of records there are, what was done to them, and what each record was."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables; those of the records themselves are made when an app first declares them."""
    op.create_table(
        "record_tables",
        sa.Column("name", text, primary_key=True, comment="stored name of the resource"),
        sa.Column("shape", text, nullable=False, comment="JSON: its columns"),
        sa.Column("version", sa.BigInteger, nullable=False, comment="grows with each change of its records"),
        sa.Column("made_at", text, nullable=False),
    )
    op.create_table(
        "record_operations",
        sa.Column("id", text, primary_key=True),
        sa.Column("resource", text, sa.ForeignKey("record_tables.name"), nullable=False),
        sa.Column("at", text, nullable=False),
        sa.Column("actor", text, nullable=False),
        sa.Column("tab", text),
        sa.Column("kind", text, nullable=False),
        sa.Column("records", sa.Integer, nullable=False, comment="how many it changed"),
        sa.Column("about", text, nullable=False, comment="JSON"),
        sa.Column("undoes", text, comment="operation that this one takes back"),
        sa.Column("undone", text, comment="operation that took this one back"),
    )
    op.create_index("record_operations_of", "record_operations", ["resource", "at", "id"])
    op.create_table(
        "record_events",
        sa.Column("resource", text, sa.ForeignKey("record_tables.name"), primary_key=True),
        sa.Column("record", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("operation", text, sa.ForeignKey("record_operations.id"), nullable=False),
        sa.Column("kind", text, nullable=False),
        sa.Column("data", text, nullable=False, comment="JSON: field -> what it was, what it is"),
    )
    op.create_index("record_events_of", "record_events", ["operation", "resource", "record", "version"])
