"""Ray for the tests of this folder: clusters on this machine, started once."""

import os

import pytest


def pytest_collection_modifyitems(items):
    """Tests with a cluster are long ones, and run one after the other."""
    for item in items:
        if "ray" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.long)
            item.add_marker(pytest.mark.xdist_group("ray"))


@pytest.fixture(scope="session")
def ray_package():
    """Ray; a test that needs it is skipped without it, unless TABREC_REQUIRE_RAY is set."""
    if os.environ.get("TABREC_REQUIRE_RAY"):
        import ray

        return ray
    return pytest.importorskip("ray")


@pytest.fixture(scope="module", params=[1, 2], ids=["1 worker", "2 workers"])
def ray(request, ray_package):
    """A cluster on the loopback interface, without a dashboard."""
    from tabrec.scale import cluster

    with cluster(workers=request.param) as connected:
        yield connected
