"""The demonstration: the main job from an empty firm to answers in the client's record, as a program outside would.

It talks to a running Casewire over HTTP alone, so that it is the same on both ways to run.
"""
