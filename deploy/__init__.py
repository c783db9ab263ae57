"""How Casewire is run: in one process, or as processes of its own on RabbitMQ and PostgreSQL."""

import warnings

# Known, and answered in docs/decisions/0001: an operator need not read it at every command.
warnings.filterwarnings("ignore", "(?s).*Eventlet is deprecated")
