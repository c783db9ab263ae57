from chassis.migrations import run_migrations
from services.portal.models import Base

run_migrations(Base)
