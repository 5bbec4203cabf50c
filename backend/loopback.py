"""The way to this machine itself, which leads through no proxy; standard library only."""

from __future__ import annotations

from collections.abc import MutableMapping

_PROXIES = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
_EXCEPTIONS = ("no_proxy", "NO_PROXY")
_OWN = "127.0.0.1,localhost"


def spare_loopback(environment: MutableMapping[str, str]) -> None:
    """Let the proxy that an environment names be asked for other machines only.

    WebKit asks it for 127.0.0.1 as well, and shows what it answers in place of our page.
    """
    # Exceptions alone would hide the system's own proxy from Python's downloads.
    if not any(environment.get(name) for name in _PROXIES):
        return
    given = [environment[name] for name in _EXCEPTIONS if environment.get(name)]
    # "*" stands for all machines, and counts alone only.
    if "*" in given:
        return
    environment.update(dict.fromkeys(_EXCEPTIONS, ",".join([*given[:1], _OWN])))
