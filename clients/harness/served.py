"""What the broker under test says that it serves: scenarios of newer APIs are skipped where these are not there."""

from harness.scenarios import Skipped
from harness.wire import Connection

CONSUMER_GROUP_HEARTBEAT = 68


def require(context, api, name):
    """Skips the scenario when the broker does not serve an API."""
    with Connection(context.bootstrap) as connection:
        error, ranges = connection.api_versions()
    assert error == 0, f"ApiVersions error {error}"
    if api not in ranges:
        raise Skipped(f"{name} is not served")
