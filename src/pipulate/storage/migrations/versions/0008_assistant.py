"""Answers of a language model, the actions it asks for, and conversations outside of runs, one for each app."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the columns and the table."""
    number = sa.Integer
    op.add_column("conversations", sa.Column("changes", number, nullable=False, server_default="0"))
    op.add_column("conversations", sa.Column("cleared", number, nullable=False, server_default="0"))
    op.add_column("messages", sa.Column("state", text, comment="of an answer: open, done, stopped, failed"))
    op.add_column("messages", sa.Column("data", text, comment="JSON: what belongs to it"))
    op.add_column("messages", sa.Column("changed", number, comment="number of the change that made it as it is"))
    changed = sa.text("changed IS NOT NULL")
    op.create_index(
        "messages_changed", "messages", ["conversation", "changed"], sqlite_where=changed, postgresql_where=changed
    )
    is_open = sa.text("state = 'open'")
    op.create_index("messages_open", "messages", ["conversation"], sqlite_where=is_open, postgresql_where=is_open)
    op.create_table(
        "action_calls",
        sa.Column("id", text, primary_key=True),
        sa.Column("conversation", text, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False, comment="number of its message"),
        sa.Column("question", sa.Integer, nullable=False, comment="number of the message that began the turn"),
        sa.Column("answer", sa.Integer, nullable=False, comment="number of the answer that asked for it"),
        sa.Column("called", text, nullable=False, comment="what the model calls it"),
        sa.Column("action", text, nullable=False, comment="stored name"),
        sa.Column("effect", text, nullable=False, comment="read, write, destroy"),
        sa.Column("arguments", text, nullable=False, comment="JSON: as they are to be used, or were"),
        sa.Column("proposed", text, comment="JSON: as the model wrote them, where a person changed them"),
        sa.Column("state", text, nullable=False, comment="asked, running, done, failed, denied, refused, gone"),
        sa.Column("asked_at", text, nullable=False),
        sa.Column("actor", text, nullable=False, comment="for whom"),
        sa.Column("model", text, nullable=False, comment="which model asked"),
        sa.Column("decided_at", text),
        sa.Column("decided_by", text, comment="person who allowed or denied it; null where nobody was asked"),
        sa.Column("granted_by", text, comment="id of the call with which it was allowed for the run; null otherwise"),
        sa.Column("is_for_run", sa.Integer, nullable=False, server_default="0", comment="1: allowed for the run"),
        sa.Column("ended_at", text),
        sa.Column("result", text, comment="JSON: what the model is given"),
        sa.Column("untrusted", sa.Integer, nullable=False, server_default="0", comment="1: result is others' words"),
    )
    op.create_index("action_calls_turn", "action_calls", ["conversation", "question", "seq"])
    op.create_index("action_calls_at", "action_calls", ["actor", "asked_at"])
