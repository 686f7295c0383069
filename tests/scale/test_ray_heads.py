"""Heads of Ray that cannot be reached are one error, soon."""

import socket

import pytest

from tabrec import TabularPreprocessor
from tabrec.datasets import make_auctions
from tabrec.scale import RayChunks, cluster


def test_a_head_that_does_not_answer_is_one_error(ray_package):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (
        pytest.raises(ConnectionError, match=rf"No head of Ray answers at 127.0.0.1:{port} \(.*\): check the address"),
        cluster(f"ray://127.0.0.1:{port}"),
    ):
        pass


def test_a_port_that_is_not_of_ray_is_one_error(ray_package, monkeypatch):
    monkeypatch.setattr("tabrec.scale.ray_cluster._TO_ANSWER", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises((ConnectionError, ImportError)) as found, cluster(f"ray://127.0.0.1:{port}"):
            pass
    assert "\n" not in str(found.value)


def test_the_command_line_says_it_in_one_line(ray_package, run, tmp_path):
    make_auctions(50, random_state=0).to_parquet(tmp_path / "sales.parquet")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"ray://127.0.0.1:{port}"
    code, _, said = run("train", "sales.parquet", "--target", "SalePrice", "--on", address)
    assert code == 2
    assert f"No head of Ray answers at 127.0.0.1:{port}" in said
    assert not (tmp_path / "runs").exists()


@pytest.mark.long
@pytest.mark.xdist_group("ray")
def test_a_cluster_ends_with_its_block_and_an_interrupt(ray_package):
    def work():
        with cluster(workers=2) as ray:
            one_shard = RayChunks(ray.data.from_pandas([make_auctions(50, random_state=0)]))
            assert TabularPreprocessor().fit(one_shard).n_features_in_ == one_shard.head(1).shape[1]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert not ray_package.is_initialized()
