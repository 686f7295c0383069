"""Requests to Kaggle through its client library.

The requests are made by kagglesdk, the part of the ``kaggle`` package that communicates with the server. The package
itself is not imported: its import calls the network or, without credentials, prints help and may end the process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tabrec.datasets._credentials import SETTINGS, find_credentials
from tabrec.datasets._download import TIMEOUT, NoNetwork, Request, seconds, status_error, wait_or_give_up
from tabrec.datasets._errors import FetchError, Interruption

_HOST = "kaggle.com"
_KEPT_HEADERS = ("authorization", "content-type", "user-agent")


class KaggleApi:
    """The requests for one competition."""

    def __init__(self, competition: str):
        self.competition = competition
        self._credentials = find_credentials()
        self._import()

    def _import(self) -> None:
        try:
            import kagglesdk
            import requests
            from kagglesdk.competitions.types import competition_api_service as types

            types.ApiDownloadDataFilesRequest, types.ApiStartSubmissionUploadRequest, types.ApiCreateSubmissionRequest  # noqa: B018
        except (Exception, SystemExit) as error:
            raise FetchError(
                f"Kaggle's client cannot be imported ({type(error).__name__}: {error}): install it by "
                "`pip install --upgrade 'tabrec[kaggle]'`."
            ) from error
        self._kagglesdk, self._requests, self._types = kagglesdk, requests, types

    def request_for_all_files(self) -> Request:
        """Return the request for all files of the competition in a zip file, whose address soon expires."""
        request = self._types.ApiDownloadDataFilesRequest()
        request.competition_name = self.competition
        with self._client() as client:
            response = client.competitions.competition_api_client.download_data_files(request)
            response.close()
        sent = response.request
        headers = {name: value for name, value in sent.headers.items() if name.lower() in _KEPT_HEADERS}
        body = sent.body.encode() if isinstance(sent.body, str) else sent.body
        return Request(sent.url, headers, sent.method, body)

    def submit(self, file: Path, message: str) -> str:
        """Upload a submission and return the response of Kaggle."""
        start = self._types.ApiStartSubmissionUploadRequest()
        start.competition_name, start.file_name = self.competition, file.name
        start.content_length = file.stat().st_size
        start.last_modified_epoch_seconds = int(file.stat().st_mtime)
        create = self._types.ApiCreateSubmissionRequest()
        create.competition_name, create.submission_description = self.competition, message

        def upload() -> None:
            with self._client() as client:
                place = client.competitions.competition_api_client.start_submission_upload(start)
                with file.open("rb") as content:
                    self._requests.put(place.create_url, data=content, timeout=TIMEOUT).raise_for_status()
                create.blob_file_tokens = place.token

        def submit() -> str:
            with self._client() as client:
                return client.competitions.competition_api_client.create_submission(create).message

        self._call_with_retries(upload)
        # Not repeated, because a submission may count even if the connection was interrupted.
        return self._credentials.hide(submit())

    def _call_with_retries(self, call: Callable[[], Any]) -> Any:
        failures = 0
        while True:
            try:
                return call()
            except NoNetwork:
                raise
            except Interruption as interruption:
                wait_or_give_up(interruption, failures)
                failures += 1

    @contextmanager
    def _client(self) -> Iterator[Any]:
        """Yield Kaggle's client after logging in; its errors are raised as FetchError."""
        given = self._credentials
        with self._errors():
            token = given.token
            if token is None and given.key is None:
                with self._kagglesdk.KaggleClient() as client:
                    self._limit_time(client)
                    token = self._kagglesdk.KaggleCredentials.load(client).get_access_token()
            with self._kagglesdk.KaggleClient(username=given.username, password=given.key, api_token=token) as client:
                self._limit_time(client)
                yield client

    def _limit_time(self, client: Any) -> None:
        """Add a timeout to every request: Kaggle's client sets none."""
        session = getattr(client.http_client(), "_session", None)
        if session is not None:
            send = session.send
            session.send = lambda request, **settings: send(request, **{**settings, "timeout": TIMEOUT})

    @contextmanager
    def _errors(self) -> Iterator[None]:
        exceptions = self._requests.exceptions
        try:
            yield
        except exceptions.HTTPError as error:
            response = error.response
            raise self._explain(response) from None
        except (exceptions.ConnectTimeout, exceptions.ReadTimeout):
            raise Interruption(f"{_HOST} sent nothing for {TIMEOUT:.0f} seconds: try again later.") from None
        except exceptions.ConnectionError as error:
            if "reset" in str(error).lower() or "aborted" in str(error).lower():
                raise Interruption(f"The connection to {_HOST} was cut: try again.") from None
            raise NoNetwork(_HOST, "no connection") from None
        except (exceptions.RequestException, ValueError) as error:
            raise FetchError(f"{_HOST} sent an invalid response ({type(error).__name__}): try again later.") from None

    def _explain(self, response: Any) -> FetchError:
        """Return the error for a response with an error status."""
        status, says = response.status_code, self._reason(response)
        source = self._credentials.source
        if status == 401:
            return FetchError(
                f"Kaggle does not accept the credentials from {source} (status 401): create a new API token at "
                f"{SETTINGS} and store it there.{says}"
            )
        if status == 403:
            return FetchError(
                f"Kaggle denies access to the competition {self.competition!r} (status 403): accept its rules at "
                f"https://www.kaggle.com/competitions/{self.competition}/rules, logged in as the owner of the "
                f"credentials from {source}, and try again.{says}"
            )
        if status == 404:
            return FetchError(
                f"Kaggle has no competition {self.competition!r} (status 404): its name is the last part of the "
                "address of its page, as house-prices-advanced-regression-techniques in "
                f"https://www.kaggle.com/competitions/house-prices-advanced-regression-techniques.{says}"
            )
        if status == 429 or status >= 500:
            return status_error(_HOST, status, seconds(response.headers.get("Retry-After")))
        return FetchError(f"Kaggle refused the request (status {status}).{says}")

    def _reason(self, response: Any) -> str:
        try:
            message = response.json()["message"]
        except (ValueError, KeyError, TypeError):
            return ""
        return f" Kaggle says: {self._credentials.hide(' '.join(str(message).split()))[:300]}" if message else ""
