from chassis.migrations import run_migrations
from services.tasks.models import Base

run_migrations(Base)
