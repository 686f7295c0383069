"""`load_movielens`: contents of the files of GroupLens in all supported folders, and errors for damaged files."""

import zipfile

import numpy as np
import pandas as pd
import pytest

from tabrec.datasets import load_movielens, load_movielens_fold, load_movielens_interactions
from tabrec.datasets.movielens import find_movielens

GENRES_100K = ["unknown", "Action", "Children's"]
RELEASES = {
    "100k": {
        "u.data": "196\t242\t3\t881250949\n22\t377\t1\t-5\n",
        "u.item": (
            "242|Kolya (1996)|24-Jan-1997||http://us.imdb.com/?a|0|1|1\n"
            "267|unknown||||1|0|0\n"
            "377|Bébé's Kids (1992)|01-Jan-1992|||0|0|1\n"
        ),
        "u.user": "22|25|M|writer|40206\n196|49|F|technician|V3N4P\n",
        "u.genre": "unknown|0\nAction|1\nChildren's|2\n\n",
        "u1.base": "1\t2\t3\t4\n",
        "u1.test": "1\t5\t4\t6\n2\t2\t5\t7\n",
    },
    "1m": {
        "ratings.dat": "1::1193::5::978300760\n6040::3::4::956704746\n",
        "movies.dat": (
            "3::Bébé's Kids (1992)::Children's|Comedy\n1193::Star Wars: Episode IV :: A New Hope (1977)::Action\n"
        ),
        "users.dat": "1::F::1::10::48067\n6040::M::56::20::02460-1234\n",
    },
    "latest-small": {
        "ratings.csv": "userId,movieId,rating,timestamp\r\n1,11,4.5,964982703\r\n2,30,0.5,964981247\r\n",
        "movies.csv": (
            "movieId,title,genres\r\n"
            '11,"American President, The (1995)",Comedy|Drama\r\n'
            "30,Désiré $9.99 (2008) ,Drama|Film-Noir\r\n"
            '40,"11\'09""01 (2002)",(no genres listed)\r\n'
            "50,Babylon 5,Sci-Fi\r\n"
            "60,Death Note: Desu nôto (2006–2007),(no genres listed)\r\n"
        ),
    },
}
RELEASES["25m"] = {**RELEASES["latest-small"], "genome-scores.csv": "movieId,tagId,relevance\r\n"}
LATIN_1 = {"100k", "1m"}


def encoded(size, name, changes=None):
    text = {**RELEASES[size], **(changes or {})}[name]
    return text.encode("latin-1" if size in LATIN_1 else "utf-8") if isinstance(text, str) else text


def write_folder(parent, size, name=None, changes=None):
    folder = parent / (name or f"ml-{size}")
    folder.mkdir(parents=True)
    for file in RELEASES[size]:
        content = encoded(size, file, changes)
        if content is not None:
            (folder / file).write_bytes(content)
    return folder


def write_zip(parent, size, name=None, prefix=None):
    path = parent / (name or f"ml-{size}.zip")
    prefix = f"ml-{size}/" if prefix is None else prefix
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        if prefix:
            archive.mkdir(prefix)
        for file in RELEASES[size]:
            archive.writestr(prefix + file, encoded(size, file))
    return path


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            pd.testing.assert_frame_equal(a, b)


# What is in the files


def test_the_100k_release(tmp_path):
    write_folder(tmp_path, "100k")
    ratings, users, items = load_movielens("100k", tmp_path)
    assert ratings.to_dict("list") == {
        "user": [196, 22],
        "item": [242, 377],
        "rating": [3.0, 1.0],
        "timestamp": [881250949, -5],
    }
    assert users.index.name == "user"
    assert users.loc[196].tolist() == [49, "F", "technician", "V3N4P"]
    assert items.columns.tolist() == ["title", "year", *GENRES_100K]
    assert items.index.name == "item"
    # the year is that of the release date, not that of the title
    assert items.loc[242].tolist() == ["Kolya (1996)", 1997.0, False, True, True]
    assert items.loc[377, "title"] == "Bébé's Kids (1992)"
    assert np.isnan(items.loc[267, "year"])


def test_the_1m_release(tmp_path):
    write_folder(tmp_path, "1m")
    release = load_movielens("1m", tmp_path)
    assert release.ratings.to_numpy().tolist() == [[1, 1193, 5, 978300760], [6040, 3, 4, 956704746]]
    assert release.users.loc[1].tolist() == [1, "F", "K-12 student", "48067"]
    assert release.users.loc[6040].tolist() == [56, "M", "writer", "02460-1234"]
    assert release.items.columns.tolist() == ["title", "year", "Action", "Children's", "Comedy"]
    assert release.items.loc[3].tolist() == ["Bébé's Kids (1992)", 1992.0, False, True, True]
    assert release.items.loc[1193].tolist() == [
        "Star Wars: Episode IV :: A New Hope (1977)",
        1977.0,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("size", ["latest-small", "25m"])
def test_the_csv_releases(tmp_path, size):
    write_folder(tmp_path, size)
    ratings, users, items = load_movielens(size, tmp_path)
    assert users is None
    assert ratings["rating"].tolist() == [4.5, 0.5]
    assert items["title"].tolist() == [
        "American President, The (1995)",
        "Désiré $9.99 (2008)",
        "11'09\"01 (2002)",
        "Babylon 5",
        "Death Note: Desu nôto (2006–2007)",
    ]
    np.testing.assert_array_equal(items["year"], [1995, 2008, 2002, np.nan, 2006])
    assert items.columns.tolist() == ["title", "year", "Comedy", "Drama", "Film-Noir", "Sci-Fi"]
    assert items.loc[40].tolist()[2:] == [False] * 4
    assert items.loc[11].tolist()[2:] == [True, True, False, False]


@pytest.mark.parametrize("size", RELEASES)
def test_types_and_frames_that_may_be_written_to(tmp_path, size):
    write_folder(tmp_path, size)
    ratings, users, items = load_movielens(size, tmp_path)
    assert ratings.dtypes.astype(str).to_dict() == {
        "user": "int64",
        "item": "int64",
        "rating": "float64",
        "timestamp": "int64",
    }
    ratings.iloc[0] = 7
    assert ratings.iloc[0].tolist() == [7, 7, 7, 7]
    assert items.index.dtype == np.int64
    assert items["year"].dtype == np.float64
    assert set(items.dtypes.iloc[2:]) == {np.dtype(bool)}
    assert users is None or (users.index.dtype == np.int64 and users["age"].dtype == np.int64)


def test_the_folds_of_the_100k_release(tmp_path):
    write_folder(tmp_path, "100k")
    train, test = load_movielens_fold(1, tmp_path)
    assert train.to_numpy().tolist() == [[1, 2, 3, 4]]
    assert test["item"].tolist() == [5, 2]
    assert test["rating"].dtype == np.float64
    with pytest.raises(FileNotFoundError, match=r"does not contain ua.base, ua.test"):
        load_movielens_fold("ua", tmp_path)


# Where the files are


@pytest.mark.parametrize("size", RELEASES)
def test_a_zip_is_read_as_the_folder_and_left_as_it_is(tmp_path, size):
    folder = write_folder(tmp_path / "a", size)
    (tmp_path / "b").mkdir()
    packed = write_zip(tmp_path / "b", size)
    expected = load_movielens(size, folder)
    assert_same(load_movielens(size, packed), expected)
    assert_same(load_movielens(size, tmp_path / "b"), expected)
    assert [path.name for path in (tmp_path / "b").iterdir()] == [packed.name]


def test_the_place_is_that_given_or_that_of_the_environment_or_the_cache(tmp_path, monkeypatch):
    write_folder(tmp_path, "1m")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("TABREC_DATA_DIR", raising=False)
    expected = load_movielens("1m", str(tmp_path))
    assert_same(load_movielens("1m", tmp_path / "ml-1m"), expected)
    with pytest.raises(FileNotFoundError):
        load_movielens("1m")
    monkeypatch.setenv("TABREC_DATA_DIR", str(tmp_path))
    assert_same(load_movielens("1m"), expected)
    # the cache comes after the variable, and the working directory not at all
    write_folder(tmp_path / "cache" / "tabrec", "latest-small")
    assert load_movielens("latest-small").users is None
    monkeypatch.setenv("TABREC_DATA_DIR", "")
    monkeypatch.chdir(tmp_path)
    assert load_movielens("latest-small").users is None
    with pytest.raises(FileNotFoundError):
        load_movielens("1m")
    with pytest.raises(FileNotFoundError):  # a place that is given is the only one
        load_movielens("latest-small", tmp_path)


@pytest.mark.parametrize("size", RELEASES)
def test_a_release_is_recognised_by_its_name_or_else_by_its_files(tmp_path, size):
    assert find_movielens(write_folder(tmp_path, size)) == size
    assert find_movielens(write_folder(tmp_path, size, "films")) == size
    assert find_movielens(write_zip(tmp_path, size)) == size
    assert find_movielens(write_zip(tmp_path, size, "films.zip", prefix="")) == size
    assert find_movielens(write_zip(tmp_path, size, "other.zip")) == size
    assert load_movielens(size, tmp_path / "films").items.shape == load_movielens(size, tmp_path).items.shape


def test_what_is_no_release_is_none(tmp_path):
    assert find_movielens(tmp_path) is None
    assert find_movielens(tmp_path / "nothing here") is None
    (tmp_path / "broken.zip").write_bytes(b"PK\x05\x06 no zip")
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating,timestamp\n")
    assert find_movielens(tmp_path / "broken.zip") is None
    assert find_movielens(tmp_path / "ratings.csv") is None
    # another release of GroupLens's, in the same format, is not taken for one of these
    assert find_movielens(write_folder(tmp_path, "25m", "ml-20m")) is None
    # the name alone does not do
    (tmp_path / "ml-1m").mkdir()
    assert find_movielens(tmp_path / "ml-1m") is None


def test_a_release_that_is_not_there_says_where_it_was_sought_and_where_to_get_it(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        load_movielens("25m", tmp_path)
    for part in (str(tmp_path), "ml-25m.zip", "ratings.csv", "tabrec download movielens-25m", "TABREC_DATA_DIR"):
        assert part in str(caught.value)
    other = write_folder(tmp_path, "100k")
    with pytest.raises(FileNotFoundError, match="is the release '100k'"):
        load_movielens("25m", other)


@pytest.mark.parametrize("file", ["u.user", "u.genre"])
def test_a_release_that_is_not_whole_is_named(tmp_path, file):
    write_folder(tmp_path, "100k", changes={file: None})
    with pytest.raises(FileNotFoundError, match=f"ml-100k does not contain {file}"):
        load_movielens("100k", tmp_path)


@pytest.mark.parametrize("size", ["10m", "ml-100k", "100K", None, 100])
def test_unknown_sizes_are_refused(size):
    with pytest.raises(ValueError, match=r"size=.* must be one of '100k', 'latest-small', '1m', '25m'"):
        load_movielens(size)


@pytest.mark.parametrize("n", [0, 6, "u1", True, None])
def test_unknown_folds_are_refused(n):
    with pytest.raises(ValueError, match=r"n=.* must be one of 1, 2, 3, 4, 5, 'ua', 'ub'"):
        load_movielens_fold(n)


# Malformed files

GOOD_CSV = "userId,movieId,rating,timestamp\n1,11,4.5,964982703\n"


@pytest.mark.parametrize(
    ("size", "file", "content", "message"),
    [
        ("100k", "u.data", "1\t2\t3\t4\n1\t2\t3", r"u\.data, line 2: '1\\t2\\t3'"),
        ("100k", "u.data", "1\t2\t3\t4\n\n1\tx\t3\t4\n", r"u\.data, line 3: '1\\tx"),
        ("100k", "u.data", "1\t2\tnan\t4\n", r"u\.data, line 1"),
        ("100k", "u.data", "1\t2\t\t4\n", r"u\.data, line 1"),
        ("100k", "u.data", "", r"u\.data has no ratings"),
        ("100k", "u.data", "99999999999999999999\t2\t3\t4\n", r"u\.data cannot be read"),
        ("100k", "u.item", "1|A (1990)|01-Jan-1990|||0|0\n", r"u\.item, line 1: .* has 7 fields, not 8"),
        ("100k", "u.item", "1|A|soon|||0|0|0\n", r"u\.item, line 1: .*third field"),
        ("100k", "u.item", "1|A|01-Jan-1990|||0|0|2\n", r"u\.item, line 1: .*0 or 1 for each genre"),
        ("100k", "u.user", "1|24|M|writer\n", r"u\.user, line 1: .* has 4 fields, not 5"),
        ("100k", "u.user", "1|24|M|writer|1\n2|old|M|writer|1\n", r"u\.user, line 2: 'old' cannot be the age"),
        ("100k", "u.user", "1|24|M|writer|1\n1|25|M|writer|1\n", r"u\.user has the user 1 more than once"),
        ("100k", "u.user", "\n", r"u\.user has no users"),
        ("1m", "ratings.dat", "1::2::3::4\n1::2::3\n", r"ratings\.dat, line 2: '1::2::3'"),
        ("1m", "ratings.dat", "1::2::3::4\n1:7:2::3::4\n", r"ratings\.dat, line 2: '1:7:2::3::4'"),
        ("1m", "ratings.dat", "1::2::3::4\n1::::3::4\n", r"ratings\.dat, line 2"),
        ("1m", "movies.dat", "1::Toy Story (1995)\n", r"movies\.dat, line 1: .* has 2 fields, not 3"),
        ("1m", "movies.dat", "one::Toy Story (1995)::Comedy\n", r"movies\.dat, line 1: 'one' cannot be the item"),
        ("1m", "users.dat", "1::F::1::21::48067\n", r"users\.dat, line 1: '21' is not an occupation, which is 0 to 20"),
        ("25m", "ratings.csv", GOOD_CSV + "1,12,4.5\n", r"ratings\.csv, line 3: '1,12,4\.5'"),
        ("25m", "ratings.csv", GOOD_CSV + "1,12,high,1\n", r"ratings\.csv, line 3: '1,12,high,1'"),
        ("25m", "ratings.csv", "user,item,rating\n1,2,3\n", r"ratings\.csv, line 1: the header must be 'userId,"),
        ("25m", "ratings.csv", "userId,movieId,rating,timestamp\n", r"ratings\.csv has no ratings"),
        ("25m", "movies.csv", "id,title\n", r"movies\.csv, line 1: the header"),
        (
            "25m",
            "movies.csv",
            "movieId,title,genres\n1,A, The (1990),Drama\n",
            r"movies\.csv, line 2: .*one film a line",
        ),
        (
            "25m",
            "movies.csv",
            'movieId,title,genres\n1,"A (1990),Drama\n2,B,Drama\n',
            r"movies\.csv, line 3: the quotes",
        ),
        ("25m", "movies.csv", 'movieId,title,genres\n1,"A\n(1990)",Drama\n', r"movies\.csv, line 3: .*one film a line"),
        ("25m", "movies.csv", "movieId,title,genres\n1,A,Drama\n1,B,Drama\n", r"has the item 1 more than once"),
        ("25m", "movies.csv", b"movieId,title,genres\n1,B\xe9b\xe9,Drama\n", r"movies\.csv, line 2: not text in UTF-8"),
    ],
)
def test_malformed_lines_are_named(tmp_path, size, file, content, message):
    write_folder(tmp_path, size, changes={file: content})
    with pytest.raises(ValueError, match=message):
        load_movielens(size, tmp_path)


def test_a_malformed_line_in_a_zip_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "ml-1m.zip", "w") as archive:
        for file in RELEASES["1m"]:
            archive.writestr(f"ml-1m/{file}", "1::2\n")
    with pytest.raises(ValueError, match=r"ml-1m\.zip/ml-1m/ratings\.dat, line 1: '1::2'"):
        load_movielens("1m", tmp_path)


# The real releases


@pytest.mark.real_data("ml-100k/u.data", "ml-100k/u.item", "ml-100k/u.user")
def test_the_real_100k_release(data_dir):
    ratings, users, items = load_movielens("100k", data_dir)
    assert len(ratings) == 100_000
    assert (ratings["user"].nunique(), ratings["item"].nunique()) == (943, 1682)
    assert ratings["rating"].mean() == pytest.approx(3.52986)
    assert (len(users), len(items)) == (943, 1682)
    assert users["gender"].value_counts().to_dict() == {"M": 670, "F": 273}
    assert items.loc[50, "title"] == "Star Wars (1977)"
    assert items.loc[50, "year"] == 1977
    assert items.columns[items.loc[50].eq(True)].tolist() == ["Action", "Adventure", "Romance", "Sci-Fi", "War"]
    assert (items.shape[1], items["Drama"].sum(), items["year"].isna().sum()) == (2 + 19, 725, 1)


@pytest.mark.real_data("ml-100k/u.data", "ml-100k/u5.base", "ml-100k/u5.test")
def test_the_real_folds_share_the_ratings_out(data_dir):
    ratings = load_movielens("100k", data_dir).ratings
    tests = []
    for n in range(1, 6):
        train, test = load_movielens_fold(n, data_dir)
        assert (len(train), len(test)) == (80_000, 20_000)
        tests.append(test)
    order = ["user", "item", "timestamp"]
    together = pd.concat(tests).sort_values(order, ignore_index=True)
    pd.testing.assert_frame_equal(together, ratings.sort_values(order, ignore_index=True))


@pytest.mark.real_data("ml-latest-small/ratings.csv", "ml-latest-small/movies.csv")
def test_the_real_latest_small_release(data_dir):
    ratings, users, items = load_movielens("latest-small", data_dir)
    assert users is None
    assert len(ratings) == 100_836
    assert (ratings["user"].nunique(), ratings["item"].nunique()) == (610, 9724)
    assert len(items) == 9742
    assert items["year"].isna().sum() == 12
    assert items.loc[7789, "title"] == "11'09\"01 - September 11 (2002)"
    assert set(ratings["item"]) <= set(items.index)


def test_interactions_hold_the_ratings_as_strengths_and_leave_low_ones_out(tmp_path):
    write_folder(tmp_path, "latest-small")
    interactions = load_movielens_interactions("latest-small", tmp_path)
    assert interactions.columns.tolist() == ["user", "item", "timestamp", "strength"]
    assert interactions["strength"].tolist() == [4.5, 0.5]
    assert load_movielens_interactions("latest-small", tmp_path, min_rating=1)["item"].tolist() == [11]
    with pytest.raises(ValueError, match=r"min_rating=5; the greatest is 4\.5"):
        load_movielens_interactions("latest-small", tmp_path, min_rating=5)
