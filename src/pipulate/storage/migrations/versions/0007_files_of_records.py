"""Files of records: which record, or its history, names which file; and uploads that wait to be part of a record."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "record_files",
        sa.Column("resource", text, sa.ForeignKey("record_tables.name"), primary_key=True),
        sa.Column("record", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("sha256", text, primary_key=True),
        sa.Column("name", text, primary_key=True, comment="what people see; never a path"),
        sa.Column("media_type", text, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("folder", text, nullable=False, comment="folder of the files of this table"),
        sa.Column("owner", text, nullable=False, comment="who put it there first"),
        sa.Column("operation", text, nullable=False, comment="operation that named it first"),
    )
    op.create_index("record_files_folder", "record_files", ["folder", "sha256"])
    op.create_index("record_files_operation", "record_files", ["operation"])
    op.create_index("record_files_owner", "record_files", ["owner"])
    op.create_table(
        "record_uploads",
        sa.Column("id", text, primary_key=True, comment="made by the server"),
        sa.Column("resource", text, nullable=False),
        sa.Column("record", sa.BigInteger, nullable=False, comment="0 for a record that is not there yet"),
        sa.Column("profile", text, comment="the profile that was chosen; null where records have none"),
        sa.Column("owner", text, nullable=False),
        sa.Column("field", text, nullable=False),
        sa.Column("name", text, nullable=False, comment="what the person called it; never a path"),
        sa.Column("media_type", text, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", text, nullable=False),
        sa.Column("at", text, nullable=False),
        sa.Column("taken_at", text, comment="when a record took it; null while it waits"),
        sa.Column("folder", text, nullable=False, comment="folder of the files of this table"),
    )
    op.create_index("record_uploads_form", "record_uploads", ["resource", "record", "owner"])
    op.create_index("record_uploads_folder", "record_uploads", ["folder", "sha256"])
    op.create_index("record_uploads_at", "record_uploads", ["at"])
