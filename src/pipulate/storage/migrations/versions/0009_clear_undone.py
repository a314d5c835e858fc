"""What undoing a *Clear* goes back to: the last message that had been cleared away before it."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; a conversation that was cleared before comes back whole."""
    op.add_column("conversations", sa.Column("cleared_before", sa.Integer, nullable=False, server_default="0"))
