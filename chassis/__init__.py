"""What every service stands on: bus, transaction, outbox, inbox, configuration, telemetry. No business noun."""
