"""Files that reports made: which report, for whom, the file, and when."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "report_files",
        sa.Column("id", text, primary_key=True, comment="id of the job that made it; the folder of the file too"),
        sa.Column("report", text, nullable=False, comment="stored name of the report"),
        sa.Column("maker", text, nullable=False, comment="stored name of what made it"),
        sa.Column("subject", text, nullable=False, comment='for whom: a value as text, "" where for nobody'),
        sa.Column("subject_label", text, nullable=False, comment="what people called it at that moment"),
        sa.Column("name", text, nullable=False, comment="what people see; never a path"),
        sa.Column("media_type", text, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", text, nullable=False),
        sa.Column("made_at", text, nullable=False),
        sa.Column("made_by", text, nullable=False),
        sa.Column("deleted_at", text, comment="when it went into the bin; null while it is not there"),
    )
    op.create_index("report_files_of", "report_files", ["report", "made_by", "made_at"])
    binned = sa.text("deleted_at IS NOT NULL")
    op.create_index("report_files_bin", "report_files", ["deleted_at"], sqlite_where=binned, postgresql_where=binned)
