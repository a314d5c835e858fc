"""Profiles, runs with their journals, conversations, key-value store."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = ("core",)
depends_on = None

# Text is compared byte by byte in both stores, so that moments and ids sort the same whatever the locale.
text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "profiles",
        sa.Column("id", text, primary_key=True),
        sa.Column("name", text, nullable=False),
        sa.Column("name_folded", text, nullable=False, unique=True),
        sa.Column("created_at", text, nullable=False),
    )
    op.create_table(
        "runs",
        sa.Column("id", text, primary_key=True),
        sa.Column("app", text, nullable=False, comment="stored name of the workflow"),
        sa.Column("key", text, nullable=False),
        sa.Column("key_folded", text, nullable=False, comment="for searching without regard to case"),
        sa.Column("key_prefix", text, nullable=False),
        sa.Column("key_number", sa.BigInteger, comment="number at the end of the key"),
        sa.Column("profile", text, sa.ForeignKey("profiles.id"), nullable=False),
        sa.Column("owner", text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False, comment="version of the newest event"),
        sa.Column("locked_at", text),
        sa.Column("locked_by", text),
        sa.Column("editing", text, comment="step that was reopened"),
        sa.Column("editing_version", sa.Integer, comment="version of the event that reopened it"),
        sa.Column("open_step", text, comment="step that waits for an answer, for lists"),
        sa.Column("parent", text, comment="run this one is a copy of"),
        sa.Column("parent_version", sa.Integer),
        sa.Column("created_at", text, nullable=False),
        sa.Column("updated_at", text, nullable=False),
        sa.Column("updated_by", text, nullable=False),
        sa.Column("deleted_at", text, comment="when it went into the bin"),
    )
    alive, dead = sa.text("deleted_at IS NULL"), sa.text("deleted_at IS NOT NULL")
    op.create_index(
        "runs_key", "runs", ["app", "owner", "key"], unique=True, sqlite_where=alive, postgresql_where=alive
    )
    op.create_index(
        "runs_of_app", "runs", ["app", "owner", "profile", "updated_at", "id"],
        sqlite_where=alive, postgresql_where=alive,
    )  # fmt: skip
    op.create_index("runs_recent", "runs", ["owner", "updated_at", "id"], sqlite_where=alive, postgresql_where=alive)
    op.create_index("runs_number", "runs", ["app", "owner", "key_prefix", "key_number"])
    op.create_index("runs_bin", "runs", ["deleted_at"], sqlite_where=dead, postgresql_where=dead)
    op.create_table(
        "run_events",
        sa.Column("run", text, sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", text, nullable=False),
        sa.Column("actor", text, nullable=False),
        sa.Column("tab", text),
        sa.Column("kind", text, nullable=False),
        sa.Column("step", text),
        sa.Column("data", text, nullable=False, comment="JSON"),
        sa.Column("submit", text, comment="id of the form it came from"),
    )
    given = sa.text("submit IS NOT NULL")
    op.create_index(
        "run_events_submit", "run_events", ["run", "submit"], unique=True, sqlite_where=given, postgresql_where=given
    )
    op.create_index("run_events_step", "run_events", ["run", "step", "version"])
    op.create_table(
        "run_steps",
        sa.Column("run", text, sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("step", text, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False, comment="version of the event that made the value"),
        sa.Column("data", text, nullable=False, comment="JSON"),
        sa.Column("digest", text, nullable=False),
        sa.Column("reads", text, nullable=False, comment="JSON: step to digest"),
        sa.Column("short", text, nullable=False),
        sa.Column("present", sa.Integer, nullable=False, comment="1 in the state, 0 kept as an offer"),
    )
    op.create_table(
        "run_files",
        sa.Column("run", text, sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("sha256", text, primary_key=True),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "conversations",
        sa.Column("id", text, primary_key=True),
        sa.Column("last", sa.Integer, nullable=False, comment="number of its newest message"),
    )
    op.create_table(
        "messages",
        sa.Column("conversation", text, sa.ForeignKey("conversations.id"), primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", text, nullable=False),
        sa.Column("actor", text, nullable=False),
        sa.Column("role", text, nullable=False),
        sa.Column("text", text, comment="JSON string"),
        sa.Column("event", sa.Integer, comment="version of the run's event it tells of"),
    )
    op.create_table(
        "key_values",
        sa.Column("scope", text, primary_key=True),
        sa.Column("owner", text, primary_key=True),
        sa.Column("key", text, primary_key=True),
        sa.Column("value", text, nullable=False, comment="JSON"),
    )
    op.execute(
        "INSERT INTO profiles (id, name, name_folded, created_at)"
        " VALUES ('default', 'Default Profile', 'default profile', '2026-01-01T00:00:00.000000Z')"
    )
