"""What cases is told at start."""

from chassis.sealing import SEALING_KEYS_URL

SETTINGS = (SEALING_KEYS_URL,)
