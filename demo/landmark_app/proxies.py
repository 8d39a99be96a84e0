"""Web proxies in the environment: exceptions for this machine, which the app asks when it starts."""

from __future__ import annotations

from collections.abc import MutableMapping

_HERE = ("localhost", "127.0.0.1", "::1")


def use_no_proxy_for(host: str, environment: MutableMapping[str, str]) -> str | None:
    """Adds this machine's names and ``host`` to ``NO_PROXY`` and ``no_proxy``.

    Proxies that cannot be used, as those of SOCKS without the package for it, would be an error even so.
    They are removed from ``environment``.

    Returns:
        What is wrong with the proxies, if they were removed.
    """
    kept = [environment.get(name, "") for name in ("NO_PROXY", "no_proxy")]
    names = [name.strip() for name in ",".join(kept).split(",") if name.strip()]
    exceptions = ",".join(dict.fromkeys([*names, *_HERE, host.strip("[]")]))
    environment["NO_PROXY"] = environment["no_proxy"] = exceptions
    if "*" in names:  # none is used
        return None
    import httpx

    set_up = [
        name
        for name, value in environment.items()
        if name.lower() in ("http_proxy", "https_proxy", "all_proxy") and value
    ]
    try:
        for name in set_up:
            proxy = environment[name]
            httpx.Client(proxy=proxy if "://" in proxy else f"http://{proxy}").close()
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        for name in set_up:
            del environment[name]
        # An error with the proxy's address may have a password in it.
        known = f": {str(error).split('. ')[0]}" if isinstance(error, ImportError) else ""
        return f"the proxies of {', '.join(sorted(set_up))} cannot be used{known}"
    return None
