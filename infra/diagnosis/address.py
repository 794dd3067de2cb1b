"""An address as the doctor shows it: the host alone, since the rest may hold a login."""

from yarl import URL


def host_of(address: str) -> str:
    """Return the host of an http address; empty when it is none."""
    try:
        url = URL(address)
    except ValueError:
        return ""
    return url.host or "" if url.scheme in ("http", "https") else ""
