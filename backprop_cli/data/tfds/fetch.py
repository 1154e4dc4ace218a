"""Downloads for tensorflow-datasets that notice a missing network, and stop at Ctrl-C.

TFDS downloads in a pool of threads, without a time limit: where there is no network it hangs for
minutes, and so does Ctrl-C. A `Fetcher` takes the place of its downloader: one file at a time, in the
thread that called, each host tried for a few seconds first. TFDS still checks size and checksum.
"""

from __future__ import annotations

import shutil
import socket
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from backprop_cli.data.progress import report
from backprop_cli.errors import DownloadError

CONNECT_SECONDS = 4.0
READ_SECONDS = 30.0
ATTEMPTS = 3


def probe(url: str) -> None:
    """Connect to the host of a URL, within CONNECT_SECONDS all told. Raises DownloadError.

    In a thread of its own, because looking a name up cannot be interrupted. Not where a proxy is set.
    """
    parts = urllib.parse.urlsplit(url)
    if urllib.request.getproxies().get(parts.scheme) or urllib.request.getproxies().get("all"):
        return
    port = parts.port or {"https": 443, "ftp": 21}.get(parts.scheme, 80)
    outcome: list[OSError | None] = []

    def connect() -> None:
        try:
            socket.create_connection((parts.hostname, port), timeout=CONNECT_SECONDS).close()
            outcome.append(None)
        except OSError as error:
            outcome.append(error)

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(CONNECT_SECONDS)
    reason = outcome[0] if outcome else f"no answer within {CONNECT_SECONDS:g} s"
    if reason is not None:
        raise DownloadError(f"cannot reach {parts.hostname}:{port}: {reason}")


class Fetcher:
    """Has the methods of TFDS's downloader that its download manager calls."""

    def __init__(self) -> None:
        self.pages: set[str] = set()  # URLs that gave a web page
        self._reached: set[str] = set()
        self._folders: list[Any] = []

    def clean(self) -> None:
        """Remove what failed downloads left."""
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def tqdm(self) -> Iterator[None]:
        """TFDS's progress bar, which `report` stands in for."""
        yield

    def increase_tqdm(self, url_info: Any) -> None:
        """A file that was there already."""

    def download(self, url: str, destination_path: Any, verify: bool = True) -> Any:
        """A promise, already kept, of the file of that URL in that folder. Raises DownloadError."""
        from tensorflow_datasets.core.utils.lazy_imports_utils import promise

        self._folders.append(destination_path)
        host = urllib.parse.urlsplit(url).netloc
        if host not in self._reached:
            probe(url)
            self._reached.add(host)
        return promise.Promise.resolve(self._download(url, destination_path, verify))

    def _download(self, url: str, folder: Any, verify: bool) -> Any:
        import requests
        from tensorflow_datasets.core.download import util

        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._download_once(url, folder, verify)
            except util.DownloadError as error:  # an HTTP status such as 404
                raise DownloadError(f"{error}") from error
            except requests.exceptions.ChunkedEncodingError as error:
                if attempt == ATTEMPTS:
                    raise DownloadError(f"{url}: the connection ended before the file did: {error}") from error
            except (requests.exceptions.RequestException, OSError) as error:
                raise DownloadError(f"{url}: {error}") from error
        raise AssertionError("unreachable")

    def _download_once(self, url: str, folder: Any, verify: bool) -> Any:
        import hashlib

        from tensorflow_datasets.core import utils
        from tensorflow_datasets.core.download import checksums, downloader

        downloader.MAX_RETRIES = ATTEMPTS - 1  # of a refused connection or a status such as 500
        options = {"verify": verify, "timeout": (CONNECT_SECONDS, READ_SECONDS)}
        with downloader._open_url(url, **options) as (response, blocks):
            path = folder / downloader._get_filename(response)
            total = int(response.headers.get("Content-Length", 0)) or None
            task = f"downloading {path.name}"
            checksum, size = hashlib.sha256(), 0
            with path.open("wb") as file:
                for block in blocks:
                    if size == 0 and block.lstrip().lower().startswith((b"<!doctype html", b"<html")):
                        self.pages.add(url)
                    file.write(block)
                    checksum.update(block)
                    size += len(block)
                    report(task, size, total)
        info = checksums.UrlInfo(checksum=checksum.hexdigest(), size=utils.Size(size), filename=path.name)
        return downloader.DownloadResult(path=path, url_info=info)
