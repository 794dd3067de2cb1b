"""Settings for every unit test: hypothesis judges what is drawn, never how long a busy machine takes."""

from hypothesis import HealthCheck, settings

settings.register_profile("greenlight", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("greenlight")
