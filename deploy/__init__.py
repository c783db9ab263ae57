"""How Casewire is run: in one process, or as processes of its own on RabbitMQ and PostgreSQL."""
