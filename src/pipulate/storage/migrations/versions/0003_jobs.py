"""Jobs: work that outlives the page and the process, its parts, its log, and when it is to be done again."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "jobs",
        sa.Column("id", text, primary_key=True),
        sa.Column("kind", text, nullable=False, comment="what does the work"),
        sa.Column("title", text, nullable=False),
        sa.Column("app", text),
        sa.Column("run", text, sa.ForeignKey("runs.id")),
        sa.Column("step", text),
        sa.Column("version", sa.Integer, comment="version of the event that asked for it"),
        sa.Column("owner", text, nullable=False),
        sa.Column("profile", text, nullable=False),
        sa.Column("args", text, nullable=False, comment="JSON"),
        sa.Column("code", text, comment="digest of the code it was asked for with"),
        sa.Column("dedup", text, comment="no second open job has the same"),
        sa.Column("at_once", sa.Integer, comment="most jobs of its app and step at one time"),
        sa.Column("retries", sa.Integer, nullable=False),
        sa.Column("backoff_s", sa.Float, nullable=False),
        sa.Column("timeout_s", sa.Float),
        sa.Column("status", text, nullable=False),
        sa.Column("reason", text, nullable=False, comment="why it is not done, in words"),
        sa.Column("trace", text, comment="for the author"),
        sa.Column("error_id", text),
        sa.Column("result", text, comment="JSON"),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("starts", sa.Integer, nullable=False, comment="times a process began this attempt"),
        sa.Column("failures", sa.Integer, nullable=False, comment="attempts that failed since a person asked for it"),
        sa.Column("stop", sa.Integer, nullable=False, comment="1 where somebody asked for it to be cancelled"),
        sa.Column("asked_at", text, nullable=False),
        sa.Column("start_at", text, comment="not before"),
        sa.Column("started_at", text),
        sa.Column("ended_at", text),
        sa.Column("beat_at", text, comment="last sign of life"),
        sa.Column("progress", text, comment="JSON"),
        sa.Column("partial", text, comment="JSON"),
    )
    is_open = sa.text("ended_at IS NULL")
    op.create_index("jobs_open", "jobs", ["owner", "status"], sqlite_where=is_open, postgresql_where=is_open)
    op.create_index("jobs_dedup", "jobs", ["dedup"], unique=True, sqlite_where=is_open, postgresql_where=is_open)
    op.create_index("jobs_of_owner", "jobs", ["owner", "asked_at", "id"])
    op.create_index("jobs_of_run", "jobs", ["run", "step", "version"])
    op.create_index("jobs_ended", "jobs", ["ended_at"])
    op.create_table(
        "job_parts",
        sa.Column("job", text, sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("name", text, primary_key=True),
        sa.Column("result", text, nullable=False, comment="JSON"),
        sa.Column("at", text, nullable=False),
    )
    op.create_table(
        "job_lines",
        sa.Column("job", text, sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", text, nullable=False),
        sa.Column("text", text, nullable=False),
    )
    op.create_table(
        "job_schedules",
        sa.Column("id", text, primary_key=True),
        sa.Column("title", text, nullable=False),
        sa.Column("app", text, nullable=False),
        sa.Column("owner", text, nullable=False),
        sa.Column("profile", text, nullable=False),
        sa.Column("cron", text, nullable=False),
        sa.Column("zone", text, nullable=False, comment="name of an IANA time zone"),
        sa.Column("args", text, nullable=False, comment="JSON: step to field to what was typed"),
        sa.Column("locks", sa.Integer, nullable=False, comment="1 where its runs are locked at their end"),
        sa.Column("paused", sa.Integer, nullable=False),
        sa.Column("next_at", text, nullable=False, comment="when it is due"),
        sa.Column("note", text, nullable=False, comment="why it was left out the last time, in words"),
        sa.Column("last_job", text, comment="the newest job it asked for; that may be forgotten by now"),
        sa.Column("made_at", text, nullable=False),
        sa.Column("removed_at", text),
    )
    op.create_index("job_schedules_of_owner", "job_schedules", ["owner", "made_at", "id"])
