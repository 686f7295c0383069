"""The Kaggle credentials of the user, from the places where Kaggle's client looks. They are never printed or logged."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tabrec.datasets._errors import FetchError

SETTINGS = "https://www.kaggle.com/settings"


@dataclass(frozen=True)
class Credentials:
    """A token, or a user name with a key. With neither, the credentials of ``kaggle auth login`` are used."""

    source: str
    token: str | None = field(default=None, repr=False)
    username: str | None = field(default=None, repr=False)
    key: str | None = field(default=None, repr=False)

    def hide(self, text: str) -> str:
        """Return the text with the secrets replaced."""
        for secret in (self.token, self.key):
            text = text.replace(secret, "[secret]") if secret else text
        return text


def find_credentials() -> Credentials:
    """Find credentials: a token, a user name and key in environment variables, kaggle.json, or a login."""
    for find in (_token_variable, _token_file, _key_variables, _key_file, _login):
        found = find()
        if found is not None:
            return found
    raise FetchError(
        f"No Kaggle credentials: create an API token at {SETTINGS} and store it in the environment variable "
        "KAGGLE_API_TOKEN or in the file ~/.kaggle/access_token, or place a kaggle.json in ~/.kaggle. A file must be "
        "readable by you only (chmod 600)."
    )


def _token_variable() -> Credentials | None:
    value = os.environ.get("KAGGLE_API_TOKEN", "").strip()
    if not value:
        return None
    path = Path(value)
    try:
        is_file = path.is_file()
    except OSError:  # the token is too long for a file name
        is_file = False
    token = _read_token(path) if is_file else value
    return Credentials("the environment variable KAGGLE_API_TOKEN", token=token)


def _token_file() -> Credentials | None:
    for name in ("access_token", "access_token.txt"):
        path = Path.home() / ".kaggle" / name
        if path.is_file():
            return Credentials(str(path), token=_read_token(path))
    return None


def _read_token(path: Path) -> str:
    token = _read_private(path).strip()
    if not token or len(token.split()) > 1:
        raise FetchError(f"{path} does not hold a Kaggle token: store only the API token of {SETTINGS} in it.")
    return token


def _key_variables() -> Credentials | None:
    values = {name: os.environ.get(name, "").strip() for name in ("KAGGLE_USERNAME", "KAGGLE_KEY")}
    absent = [name for name, value in values.items() if not value]
    if len(absent) == 2:
        return None
    if absent:
        present = next(name for name in values if name not in absent)
        raise FetchError(f"The environment variable {present} is set but {absent[0]} is not: set both, or neither.")
    source = "the environment variables KAGGLE_USERNAME and KAGGLE_KEY"
    return Credentials(source, username=values["KAGGLE_USERNAME"], key=values["KAGGLE_KEY"])


def _key_file() -> Credentials | None:
    folder = os.environ.get("KAGGLE_CONFIG_DIR")
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    folders = [Path(folder)] if folder else [Path.home() / ".kaggle", config / "kaggle"]
    path = next((folder / "kaggle.json" for folder in folders if (folder / "kaggle.json").is_file()), None)
    if path is None:
        return None
    content = _read_json(path, lambda content: all(isinstance(content[name], str) for name in ("username", "key")))
    if not content["username"] or not content["key"]:
        raise _malformed(path)
    return Credentials(str(path), username=content["username"], key=content["key"])


def _login() -> Credentials | None:
    path = Path.home() / ".kaggle" / "credentials.json"
    if not path.is_file():
        return None
    _read_json(path, lambda content: isinstance(content["refresh_token"], str))
    return Credentials(str(path))


def _read_json(path: Path, is_valid: Callable[[dict], bool]) -> dict:
    try:
        content = json.loads(_read_private(path))
        if is_valid(content):
            return content
    except (ValueError, KeyError, TypeError):
        pass
    raise _malformed(path)  # raised outside the except block, so that no traceback shows the content of the file


def _malformed(path: Path) -> FetchError:
    if path.name == "credentials.json":
        return FetchError(f"{path} is malformed: run `kaggle auth login` again, or remove the file.")
    form = '{"username": "…", "key": "…"}'
    return FetchError(f"{path} is malformed: it must be JSON of the form {form}. Create a new one at {SETTINGS}.")


def _read_private(path: Path) -> str:
    """Return the text of a file, which must be readable by its owner only."""
    try:
        if os.name != "nt" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise FetchError(f"{path} can be read or changed by other users of this machine: run `chmod 600 {path}`.")
        return path.read_text(encoding="utf-8")
    except FetchError:
        raise
    except UnicodeDecodeError:
        raise _malformed(path) from None
    except OSError as error:
        raise FetchError(f"{path} cannot be read ({error.strerror}): make it readable by your account.") from error
