"""cases: case types, cases, the filter language, case lists, and the selectors that every bulk action takes. One module
for each; all of them are imported from here."""

from contracts.cases.activity import *  # noqa: F403
from contracts.cases.answers import *  # noqa: F403
from contracts.cases.common import *  # noqa: F403
from contracts.cases.facts import *  # noqa: F403
from contracts.cases.importing import *  # noqa: F403
from contracts.cases.lists import *  # noqa: F403
from contracts.cases.privacy import *  # noqa: F403
from contracts.cases.records import *  # noqa: F403
from contracts.cases.requested_changes import *  # noqa: F403
from contracts.cases.selecting import *  # noqa: F403
from contracts.cases.types import *  # noqa: F403
