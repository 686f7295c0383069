"""Plans: their volumes are those that are sent, and their stages scale as they should."""

import pickle

import pytest

from tabrec import ForestClassifier, ForestRegressor
from tabrec.datasets import make_auctions
from tabrec.scale import FileChunks, FrameChunks, plan

SALES = make_auctions(4_000, random_state=0)[["SalePrice", "YearMade", "MachineHoursCurrentMeter", "state", "saledate"]]
FOREST = ForestRegressor(4, random_state=0, oob_score=False, n_jobs=1)


class Counted(FrameChunks):
    """Parts whose tasks are pickled and counted, as Ray sends them."""

    sent: dict

    def map_parts(self, function):
        name, start = getattr(function, "func", function).__name__, 0
        for frame in self:
            result = pickle.dumps(function(FrameChunks([frame]), start))
            self.sent[name] = self.sent.get(name, 0) + len(pickle.dumps(function)) + len(result)
            start += len(frame)
            yield pickle.loads(result)

    def drop(self, columns):
        return self._with([frame.drop(columns=list(columns)) for frame in self])

    def select(self, columns):
        return self._with([frame[list(columns)] for frame in self])

    def _with(self, frames):
        other = Counted(frames)
        other.sent = self.sent
        return other


def stage(planned, name):
    return planned.stages.set_index("stage").loc[name]


def test_planned_volumes_are_those_that_are_sent():
    chunks = Counted([SALES[start : start + 1_000] for start in range(0, 4_000, 1_000)])
    chunks.sent = {}
    FOREST.fit(chunks, "SalePrice")
    planned = plan(chunks, "SalePrice", FOREST, n_rows=4_000, n_nodes=4, n_cores=1)
    for name, function in (("columns", "_survey"), ("encoding", "_learn_part_from"), ("draw", "_draw_part")):
        assert stage(planned, name)["sent_bytes"] == pytest.approx(chunks.sent[function], rel=0.5)


def test_volumes_grow_with_rows_and_work_is_shared_by_machines():
    small, large = (
        plan(FrameChunks(SALES), "SalePrice", FOREST, n_rows=n, n_nodes=nodes, n_cores=1, disk="1TB")
        for n, nodes in ((10**7, 1), (10**9, 100))
    )
    assert stage(large, "columns")["read_bytes"] == pytest.approx(100 * stage(small, "columns")["read_bytes"])
    assert stage(small, "columns")["network"] == 0
    assert stage(large, "columns")["sent_bytes"] > stage(small, "columns")["sent_bytes"]
    assert stage(large, "columns")["workers"] == pytest.approx(stage(small, "columns")["workers"], rel=0.9)
    few_parts = plan(FrameChunks(SALES), "SalePrice", FOREST, n_rows=4_000, n_nodes=100, n_cores=1, disk="1TB")
    assert stage(few_parts, "draw")["workers"] > 0  # one part keeps one worker busy
    longest = large.stages.loc[large.stages["seconds"].idxmax(), "stage"]
    assert large.limiting.startswith(f"{longest} (")
    assert large.assumptions[0].startswith("100 machines of 1 processors")


def test_trees_grow_on_rows_that_memory_holds():
    all_rows, few = (
        stage(plan(FrameChunks(SALES, memory=m), "SalePrice", FOREST, n_rows=10**9), "growth") for m in ("1TB", "1MB")
    )
    assert few["caller_memory"] <= 10**6 < all_rows["caller_memory"]


def test_files_and_classes_and_the_command_line(tmp_path, run):
    SALES.to_parquet(tmp_path / "0.parquet", row_group_size=1_000)
    planned = plan(FileChunks(tmp_path), "state", ForestClassifier(4, random_state=0), n_rows=10**6)
    size = (tmp_path / "0.parquet").stat().st_size
    assert stage(planned, "columns")["read_bytes"] == pytest.approx(250 * size)
    code, out, _ = run("plan", tmp_path, "--target", "SalePrice", "--rows", "1e9", "--nodes", "100", "--trees", "4")
    assert code == 0
    assert "limited by" in out
    assert "100 machines of 16 processors" in out


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="n_nodes=0 must be at least 1"):
        plan(FrameChunks(SALES), "SalePrice", FOREST, n_rows=10, n_nodes=0)
    with pytest.raises(ValueError, match="measured on at least 1,000"):
        plan(FrameChunks(SALES[:10]), "SalePrice", FOREST, n_rows=10)
    with pytest.raises(ValueError, match="network='fast'|memory='fast'"):
        plan(FrameChunks(SALES), "SalePrice", FOREST, n_rows=10, network="fast")
