"""tus 1.0.0 as its public conformance suite asks for it; each case has that suite's id in its name.

The suite is github.com/sagikazarmark/tus-conformance-tests. Of its cases, those of extensions that
this server doesn't name (checksum-trailer, concatenation-unfinished) have no test here.
"""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests

from tests.sites import Client, Site, problem

PATH = "/api/v1/uploads/tus"
BODY = b"Hello, tus!\n"
BYTES = {"Content-Type": "application/offset+octet-stream"}


@pytest.fixture
def user(site: Site) -> Client:
    return site.user()


class Tus:
    """A client that sends what a test says, and Tus-Resumable beside it."""

    def __init__(self, user: Client) -> None:
        self.user = user

    def ask(
        self,
        method: str,
        url: str = PATH,
        data: Any = None,
        *,
        version: str | None = "1.0.0",
        **headers: str,
    ) -> requests.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if version:
            sent["Tus-Resumable"] = version
        whole = url if url.startswith("http") else self.user.site.url + url
        return self.user.session.request(method, whole, data=data, headers=sent, timeout=60)

    def create(self, length: int | None = len(BODY), **headers: str) -> str:
        if length is not None:
            headers["Upload_Length"] = str(length)
        answer = self.ask("POST", **headers)
        assert answer.status_code == 201, answer.text
        return answer.headers["Location"]

    def patch(self, url: str, offset: int, data: bytes, **headers: str) -> requests.Response:
        given = {"Upload_Offset": str(offset), "Content_Type": BYTES["Content-Type"], **headers}
        return self.ask("PATCH", url, data, **given)

    def head(self, url: str) -> requests.Response:
        return self.ask("HEAD", url)

    def offset(self, url: str) -> int:
        return int(self.head(url).headers["Upload-Offset"])


@pytest.fixture
def tus(user: Client) -> Tus:
    return Tus(user)


def b64(text: bytes) -> str:
    return base64.b64encode(text).decode()


def sha1(body: bytes) -> str:
    return f"sha1 {b64(hashlib.sha1(body).digest())}"


# --- Core


def test_cp_opt_001_to_005_options_describes_the_server(site: Site) -> None:
    answer = Tus(site.guest()).ask("OPTIONS", version=None)
    assert answer.status_code == 200
    assert answer.headers["Tus-Version"].split(",")[0] == "1.0.0"
    assert "creation" in answer.headers["Tus-Extension"].split(",")
    assert answer.headers["Tus-Max-Size"].isdigit()


def test_cp_head_001_002_006_007_a_new_upload_is_at_zero(tus: Tus) -> None:
    answer = tus.head(tus.create())
    assert answer.status_code == 200
    assert answer.headers["Upload-Offset"] == "0"
    assert answer.headers["Upload-Length"] == str(len(BODY))
    assert answer.headers["Tus-Resumable"] == "1.0.0"


def test_cp_head_003_and_004_head_needs_the_version_and_is_not_cached(tus: Tus) -> None:
    url = tus.create()
    assert tus.ask("HEAD", url, version=None).status_code == 412
    assert "no-store" in tus.head(url).headers["Cache-Control"]


@pytest.mark.parametrize("method", ["HEAD", "PATCH", "DELETE"])
def test_cp_head_005_cp_patch_008_ext_term_004_what_is_not_there_is_404(tus: Tus, method: str) -> None:
    answer = tus.ask(method, f"{PATH}/nothing", Upload_Offset="0", Content_Type=BYTES["Content-Type"])
    assert answer.status_code == 404
    assert answer.headers["Tus-Resumable"] == "1.0.0"


def test_cp_patch_001_patch_needs_the_version(tus: Tus) -> None:
    answer = tus.ask("PATCH", tus.create(), BODY, version=None, Upload_Offset="0")
    assert answer.status_code == 412


@pytest.mark.parametrize("kind", [None, "text/plain", "application/octet-stream"])
def test_cp_patch_002_003_patch_needs_its_type(tus: Tus, kind: str | None) -> None:
    headers = {"Content_Type": kind} if kind else {}
    url = tus.create()
    assert tus.ask("PATCH", url, BODY, Upload_Offset="0", **headers).status_code == 415
    assert tus.offset(url) == 0


@pytest.mark.parametrize("offset", [None, "", "-1", "x", "1.5"])
def test_cp_patch_004_patch_needs_an_offset(tus: Tus, offset: str | None) -> None:
    headers = {} if offset is None else {"Upload_Offset": offset}
    answer = tus.ask("PATCH", tus.create(), BODY, Content_Type=BYTES["Content-Type"], **headers)
    assert answer.status_code == 400
    assert "Upload-Offset" in problem(answer)["detail"]


def test_cp_patch_005_opt_err_002_another_offset_is_a_conflict_that_tells_the_right_one(
    tus: Tus,
) -> None:
    url = tus.create()
    tus.patch(url, 0, BODY[:5])
    for offset in (0, 4, 6):
        answer = tus.patch(url, offset, BODY[5:6])
        assert (answer.status_code, answer.headers["Upload-Offset"]) == (409, "5")


def test_cp_patch_006_007_009_success_tells_the_new_offset(tus: Tus) -> None:
    answer = tus.patch(tus.create(), 0, BODY[:7])
    assert (answer.status_code, answer.content) == (204, b"")
    assert (answer.headers["Upload-Offset"], answer.headers["Tus-Resumable"]) == ("7", "1.0.0")


def test_cp_patch_010_more_than_the_length_is_refused(tus: Tus) -> None:
    url = tus.create(5)
    assert tus.patch(url, 0, b"123456").status_code == 413
    assert tus.offset(url) == 0


def test_cp_patch_010_more_than_the_length_in_chunks_is_refused(tus: Tus) -> None:
    url = tus.create(5)
    assert tus.patch(url, 0, iter([b"1234", b"56"])).status_code == 413  # type: ignore[arg-type]
    assert tus.offset(url) <= 5


@pytest.mark.parametrize("version", ["0.2.2", "1.0.1", "2.0.0", "x"])
def test_cp_ver_001_002_other_versions_are_told_ours(tus: Tus, version: str) -> None:
    answer = tus.ask("POST", version=version, Upload_Length="1")
    assert (answer.status_code, answer.headers["Tus-Version"]) == (412, "1.0.0")


def test_cp_ver_003_our_version_is_taken(tus: Tus) -> None:
    assert tus.create()


def test_cp_err_001_002_errors_say_what_is_wrong(tus: Tus) -> None:
    assert "Upload-Length" in problem(tus.ask("POST"))["detail"]


def test_the_method_may_come_in_a_header(tus: Tus) -> None:
    url = tus.create()
    headers = {
        "Upload_Offset": "0",
        "Content_Type": BYTES["Content-Type"],
        "X_HTTP_Method_Override": "PATCH",
    }
    assert tus.ask("POST", url, BODY[:3], **headers).status_code == 204
    assert tus.offset(url) == 3
    assert tus.ask("POST", url, X_HTTP_Method_Override="DELETE").status_code == 204
    assert tus.head(url).status_code == 410


# --- Creation


def test_ext_create_001_002_009_opt_url_001_creation_gives_an_absolute_address(tus: Tus) -> None:
    answer = tus.ask("POST", Upload_Length="100")
    assert answer.status_code == 201
    assert re.match(r"https?://", answer.headers["Location"])
    assert tus.head(answer.headers["Location"]).status_code == 200


def test_ext_create_003_creation_needs_the_version(tus: Tus) -> None:
    assert tus.ask("POST", version=None, Upload_Length="1").status_code == 412


@pytest.mark.parametrize(
    "metadata",
    [
        "filename dGVzdC50eHQ=,filetype dGV4dC9wbGFpbg==",
        "filename dGVzdC50eHQ=, filetype dGV4dC9wbGFpbg==",
        "empty,filename dGVzdC50eHQ=",
        "filename",
    ],
)
def test_ext_create_004_010_opt_meta_003_006_metadata_is_kept_as_it_came(
    tus: Tus, metadata: str
) -> None:
    url = tus.create(Upload_Metadata=metadata)
    assert tus.head(url).headers["Upload-Metadata"] == metadata


@pytest.mark.parametrize(
    "metadata",
    [
        ",a dGVzdA==",
        "a dGVzdA==,a dGVzdA==",
        "a !!!",
        "a dGVzd",
        "a b c",
        "a dGVzdA==,,b dGVzdA==",
        "ä dGVzdA==",
    ],
    ids=["no key", "twice", "no base64", "cut base64", "spaces", "empty pair", "not ASCII"],
)
def test_ext_create_005_006_opt_meta_001_002_005_odd_metadata_is_refused(
    tus: Tus, metadata: str
) -> None:
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "1", "Upload-Metadata": metadata.encode()}
    answer = tus.user.session.post(tus.user.site.url + PATH, headers=headers, timeout=60)
    assert answer.status_code == 400
    assert "Upload-Metadata" in problem(answer)["detail"]


def test_opt_meta_004_long_metadata_is_refused(tus: Tus) -> None:
    assert tus.ask("POST", Upload_Length="1", Upload_Metadata=f"a {b64(b'x' * 5000)}").status_code == 400


def test_ext_create_007_opt_store_003_more_than_the_largest_size_is_refused(tus: Tus) -> None:
    largest = int(tus.ask("OPTIONS").headers["Tus-Max-Size"])
    assert tus.ask("POST", Upload_Length=str(largest + 1)).status_code == 413
    assert tus.ask("POST", Upload_Length="9" * 18).status_code == 413


@pytest.mark.parametrize("length", ["-1", "x", "", "9" * 30])
def test_a_length_that_is_none_is_refused(tus: Tus, length: str) -> None:
    assert tus.ask("POST", Upload_Length=length).status_code == 400


def test_ext_create_008_scn_basic_004_an_empty_upload_is_complete_at_once(tus: Tus) -> None:
    answer = tus.ask("POST", Upload_Length="0")
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, "0")
    head = tus.head(answer.headers["Location"])
    assert (head.status_code, head.headers["Upload-Length"], head.headers["Upload-Offset"]) == (
        200,
        "0",
        "0",
    )


def source(tus: Tus, url: str) -> bytes:
    video_id = url.rpartition("/")[2]
    assert tus.user.get(f"/api/v1/videos/{video_id}").json()["state"] == "uploaded"
    return tus.user.site.platform.storage.read(f"videos/{video_id}/source")


def test_scn_basic_001_a_small_upload_is_complete(tus: Tus) -> None:
    url = tus.create()
    assert tus.patch(url, 0, BODY).headers["Upload-Offset"] == str(len(BODY))
    assert tus.offset(url) == len(BODY)
    assert source(tus, url) == BODY


@pytest.mark.parametrize("cuts", [(5,), (1, 2, 3), (6, 11), (3, 6, 9)])
def test_scn_basic_002_003_scn_resume_001_to_004_it_goes_on_where_it_was(
    tus: Tus, cuts: tuple[int, ...]
) -> None:
    url = tus.create()
    for start, end in zip((0, *cuts), (*cuts, len(BODY)), strict=True):
        assert tus.offset(url) == start
        assert tus.patch(url, start, BODY[start:end]).headers["Upload-Offset"] == str(end)
    assert source(tus, url) == BODY


def test_scn_error_001_a_client_at_the_wrong_offset_finds_back(tus: Tus) -> None:
    url = tus.create()
    tus.patch(url, 0, BODY[:5])
    assert tus.patch(url, 3, BODY[3:]).status_code == 409
    assert tus.patch(url, tus.offset(url), BODY[5:]).status_code == 204
    assert source(tus, url) == BODY


def test_opt_url_002_addresses_cant_be_guessed(tus: Tus) -> None:
    one, other = tus.create(), tus.create()
    assert one != other
    assert len(one.rpartition("/")[2]) >= 22


def cut(tus: Tus, url: str, announced: int, sent: bytes) -> None:
    """Send a PATCH that ends before its Content-Length."""
    head = [
        f"PATCH {url.removeprefix(tus.user.site.url)} HTTP/1.1",
        "Host: localhost",
        f"Authorization: {tus.user.token}",
        "Tus-Resumable: 1.0.0",
        "Upload-Offset: 0",
        f"Content-Type: {BYTES['Content-Type']}",
        f"Content-Length: {announced}",
    ]
    tus.user.site.send("\r\n".join([*head, "", ""]).encode() + sent)


def test_opt_partial_001_002_003_opt_time_003_what_came_of_a_cut_body_counts(tus: Tus) -> None:
    url = tus.create(1000)
    cut(tus, url, 1000, b"x" * 400)
    assert wait_for(lambda: tus.offset(url) == 400)
    assert tus.patch(url, 400, b"y" * 600).status_code == 204
    assert source(tus, url) == b"x" * 400 + b"y" * 600


def test_a_body_that_ends_early_is_never_taken_for_a_whole_one(tus: Tus) -> None:
    url = tus.create(100)
    cut(tus, url, 100, b"x" * 99)
    assert wait_for(lambda: tus.offset(url) == 99)
    video = tus.user.get(f"/api/v1/videos/{url.rpartition('/')[2]}").json()
    assert video["state"] == "uploading"


def wait_for(happens: Any, wait_s: float = 20) -> bool:
    deadline = time.monotonic() + wait_s
    while not happens():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def test_opt_conc_001_of_concurrent_writers_one_wins_and_the_others_are_told(tus: Tus) -> None:
    url, answers = tus.create(1000), list[int]()

    def write(number: int) -> None:
        body = bytes([65 + number]) * 1000
        sent = requests.patch(
            url,
            data=body,
            timeout=60,
            headers={
                **BYTES,
                "Tus-Resumable": "1.0.0",
                "Upload-Offset": "0",
                "Authorization": tus.user.token,
            },
        )
        answers.append(sent.status_code)

    writers = [threading.Thread(target=write, args=[number]) for number in range(6)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert answers.count(204) == 1
    assert set(answers) <= {204, 409, 410, 423}
    assert len(set(source(tus, url))) == 1


def test_opt_conc_002_opt_time_002_the_offset_is_told_while_a_slow_writer_writes(tus: Tus) -> None:
    url = tus.create(1000)
    with slow_writer(tus, url, 1000) as connection:
        connection.sendall(b"x" * 100)
        assert tus.head(url).status_code == 200


def slow_writer(tus: Tus, url: str, length: int) -> socket.socket:
    connection = socket.create_connection(tus.user.site.address, timeout=30)
    head = [
        f"PATCH {url.removeprefix(tus.user.site.url)} HTTP/1.1",
        "Host: localhost",
        f"Authorization: {tus.user.token}",
        "Tus-Resumable: 1.0.0",
        "Upload-Offset: 0",
        f"Content-Type: {BYTES['Content-Type']}",
        f"Content-Length: {length}",
    ]
    connection.sendall("\r\n".join([*head, "", ""]).encode())
    return connection


def test_a_writer_that_went_silent_gives_way_and_loses_nothing_it_was_told(tus: Tus) -> None:
    url = tus.create(200_000)
    with slow_writer(tus, url, 200_000) as connection:
        connection.sendall(b"x" * 100_000)
        time.sleep(1)
        assert wait_for(lambda: tus.patch(url, tus.offset(url), b"").status_code in (204, 423))
        deadline = time.monotonic() + 30
        while (answer := tus.patch(url, tus.offset(url), b"y" * 1000)).status_code != 204:
            assert time.monotonic() < deadline, answer.text
    stored = tus.offset(url)
    rest = tus.patch(url, stored, b"z" * (200_000 - stored))
    assert rest.status_code == 204
    assert source(tus, url).rstrip(b"z") == b"x" * (stored - 1000) + b"y" * 1000


def test_opt_conc_003_creations_at_once_are_different_uploads(tus: Tus) -> None:
    assert len({tus.create() for _ in range(5)}) == 5


def test_opt_comp_001_002_a_complete_upload_takes_nothing_more(tus: Tus) -> None:
    url = tus.create()
    tus.patch(url, 0, BODY)
    head = tus.head(url)
    assert head.headers["Upload-Offset"] == head.headers["Upload-Length"]
    assert tus.patch(url, len(BODY), b"more").status_code in (400, 409, 410, 413)
    assert tus.patch(url, 0, BODY).status_code in (400, 409, 410)
    assert source(tus, url) == BODY


def test_opt_comp_003_completion_starts_the_video_and_tells_of_it(tus: Tus) -> None:
    url = tus.create()
    tus.patch(url, 0, BODY)
    video_id = url.rpartition("/")[2]
    with tus.user.site.platform.database.transaction() as tx:
        told = [entry.event.type for entry in tx.outbox.page(0, 100, video_id)]
        assert [task.piece.name for task in tx.pieces.list(video_id, 1)] == ["probe"]
    assert told == ["video.created", "video.uploaded"]


def test_opt_store_002_the_length_cant_be_changed(tus: Tus) -> None:
    url = tus.create(20)
    assert tus.patch(url, 0, b"x", Upload_Length="30").status_code == 400
    assert tus.head(url).headers["Upload-Length"] == "20"


# --- Creation with deferred length


def test_ext_defer_001_002_003_the_length_may_come_later(tus: Tus) -> None:
    url = tus.create(None, Upload_Defer_Length="1")
    head = tus.head(url)
    assert "Upload-Length" not in head.headers
    assert head.headers["Upload-Defer-Length"] == "1"
    assert tus.patch(url, 0, BODY[:5]).status_code == 204
    assert tus.patch(url, 5, BODY[5:], Upload_Length=str(len(BODY))).status_code == 204
    assert tus.head(url).headers["Upload-Length"] == str(len(BODY))
    assert source(tus, url) == BODY


def test_ext_defer_003_the_length_may_come_after_all_bytes(tus: Tus) -> None:
    url = tus.create(None, Upload_Defer_Length="1")
    tus.patch(url, 0, BODY)
    assert tus.patch(url, len(BODY), b"", Upload_Length=str(len(BODY))).status_code == 204
    assert source(tus, url) == BODY


def test_ext_defer_004_a_length_that_was_told_stays(tus: Tus) -> None:
    url = tus.create(None, Upload_Defer_Length="1")
    assert tus.patch(url, 0, b"x", Upload_Length="10").status_code == 204
    assert tus.patch(url, 1, b"x", Upload_Length="11").status_code == 400
    assert tus.patch(url, 1, b"x", Upload_Length="10").status_code == 204


@pytest.mark.parametrize(
    "headers", [{"Upload_Length": "5", "Upload_Defer_Length": "1"}, {"Upload_Defer_Length": "2"}]
)
def test_ext_defer_005_the_length_is_told_in_one_way(tus: Tus, headers: Mapping[str, str]) -> None:
    assert tus.ask("POST", **headers).status_code == 400


# --- Creation with upload


@pytest.mark.parametrize("sent", [1, 5, len(BODY)])
def test_ext_cwu_001_003_005_bytes_may_come_with_the_creation(tus: Tus, sent: int) -> None:
    headers = {"Upload_Length": str(len(BODY)), "Content_Type": BYTES["Content-Type"]}
    answer = tus.ask("POST", PATH, BODY[:sent], **headers)
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, str(sent))
    if sent < len(BODY):
        assert tus.patch(answer.headers["Location"], sent, BODY[sent:]).status_code == 204
    assert source(tus, answer.headers["Location"]) == BODY


def test_ext_cwu_002_bytes_need_their_type(tus: Tus) -> None:
    answer = tus.ask("POST", PATH, BODY, Upload_Length="12", Content_Type="text/plain")
    assert answer.status_code == 415


# --- Checksum


def test_ext_csum_001_002_sha1_is_known(tus: Tus) -> None:
    assert "sha1" in tus.ask("OPTIONS").headers["Tus-Checksum-Algorithm"].split(",")


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_ext_csum_003_a_right_checksum_is_taken(tus: Tus, algorithm: str) -> None:
    digest = f"{algorithm} {b64(hashlib.new(algorithm, BODY).digest())}"
    url = tus.create()
    assert tus.patch(url, 0, BODY, Upload_Checksum=digest).status_code == 204
    assert source(tus, url) == BODY


def test_ext_csum_004_005_008_scn_error_002_a_wrong_one_changes_nothing(tus: Tus) -> None:
    url = tus.create()
    tus.patch(url, 0, BODY[:4])
    wrong = tus.patch(url, 4, b"garbage!", Upload_Checksum=sha1(BODY[4:]))
    assert (wrong.status_code, wrong.reason) == (460, "Checksum Mismatch")
    assert tus.offset(url) == 4
    assert tus.patch(url, 4, BODY[4:], Upload_Checksum=sha1(BODY[4:])).status_code == 204
    assert source(tus, url) == BODY


@pytest.mark.parametrize("checksum", ["md5 abcd", "sha1", "sha1 !!", "sha1abcd", "crc99 YQ=="])
def test_ext_csum_006_007_other_algorithms_and_forms_are_refused(tus: Tus, checksum: str) -> None:
    url = tus.create()
    answer = tus.patch(url, 0, BODY, Upload_Checksum=checksum)
    assert answer.status_code in (400, 460)
    assert tus.offset(url) == 0


def test_opt_csum_001_an_empty_body_has_a_checksum_too(tus: Tus) -> None:
    assert tus.patch(tus.create(), 0, b"", Upload_Checksum=sha1(b"")).status_code == 204


def test_opt_csum_003_a_checksum_may_come_with_the_creation(tus: Tus) -> None:
    headers = {"Upload_Length": "12", "Content_Type": BYTES["Content-Type"]}
    assert tus.ask("POST", PATH, BODY, Upload_Checksum=sha1(BODY), **headers).status_code == 201
    assert tus.ask("POST", PATH, BODY, Upload_Checksum=sha1(b"other"), **headers).status_code == 460


def test_a_cut_body_with_a_checksum_counts_for_nothing(tus: Tus) -> None:
    url = tus.create()
    assert tus.patch(url, 0, BODY[:5], Upload_Checksum=sha1(BODY)).status_code == 460
    assert tus.offset(url) == 0


# --- Termination


def test_ext_term_001_003_an_ended_upload_is_gone(tus: Tus) -> None:
    url = tus.create()
    tus.patch(url, 0, BODY[:5])
    assert tus.ask("DELETE", url).status_code == 204
    for method in ("HEAD", "PATCH", "DELETE"):
        headers = {"Upload_Offset": "5", "Content_Type": BYTES["Content-Type"]}
        assert tus.ask(method, url, **headers).status_code in (404, 410)
    video = tus.user.get(f"/api/v1/videos/{url.rpartition('/')[2]}").json()
    assert video["state"] == "cancelled"


def test_ext_term_002_ending_needs_the_version(tus: Tus) -> None:
    assert tus.ask("DELETE", tus.create(), version=None).status_code == 412


def test_ext_term_005_a_complete_upload_may_be_ended_and_its_video_stays(tus: Tus) -> None:
    url = tus.create()
    tus.patch(url, 0, BODY)
    assert tus.ask("DELETE", url).status_code == 204
    assert source(tus, url) == BODY


# --- Concatenation


def partial(tus: Tus, body: bytes) -> str:
    url = tus.create(len(body), Upload_Concat="partial")
    if body:
        assert tus.patch(url, 0, body).status_code == 204
    return url


def test_ext_concat_001_009_a_partial_upload_says_so(tus: Tus) -> None:
    assert tus.head(partial(tus, BODY)).headers["Upload-Concat"] == "partial"


@pytest.mark.parametrize("relative", [False, True])
def test_ext_concat_002_004_006_010_scn_concat_001_002_parts_are_joined(
    tus: Tus, relative: bool
) -> None:
    urls = [partial(tus, body) for body in (BODY[:3], BODY[3:8], b"", BODY[8:])]
    if relative:
        urls = [url.removeprefix(tus.user.site.url) for url in urls]
    concat = f"final;{' '.join(urls)}"
    url = tus.create(None, Upload_Concat=concat)
    head = tus.head(url)
    assert head.headers["Upload-Concat"] == concat
    assert head.headers["Upload-Offset"] == head.headers["Upload-Length"] == str(len(BODY))
    assert source(tus, url) == BODY


def test_a_partial_upload_is_no_video(tus: Tus) -> None:
    partial(tus, BODY)
    assert tus.user.get("/api/v1/videos").json()["items"] == []


def test_ext_concat_003_a_final_upload_has_no_length_of_its_own(tus: Tus) -> None:
    concat = f"final;{partial(tus, BODY)}"
    assert tus.ask("POST", Upload_Concat=concat, Upload_Length="12").status_code == 400


def test_ext_concat_005_a_final_upload_takes_no_bytes(tus: Tus) -> None:
    url = tus.create(None, Upload_Concat=f"final;{partial(tus, BODY)}")
    assert tus.patch(url, len(BODY), b"x").status_code == 403


def test_ext_concat_007_parts_must_be_complete(tus: Tus) -> None:
    url = tus.create(10, Upload_Concat="partial")
    assert tus.ask("POST", Upload_Concat=f"final;{url}").status_code == 400


@pytest.mark.parametrize("concat", ["final;/nothing/here", "final;", "final", "partial;x", "x"])
def test_ext_concat_008_other_parts_are_refused(tus: Tus, concat: str) -> None:
    assert tus.ask("POST", Upload_Concat=concat, Upload_Length="1").status_code == 400
    assert tus.ask("POST", Upload_Concat=concat).status_code == 400


def test_parts_of_another_account_cant_be_joined(tus: Tus, site: Site) -> None:
    theirs = partial(Tus(site.user()), BODY)
    assert tus.ask("POST", Upload_Concat=f"final;{theirs}").status_code == 400


# --- Expiration


def test_ext_expire_001_002_003_opt_exp_001_003_the_end_is_told_and_moves_on(tus: Tus) -> None:
    created = tus.ask("POST", Upload_Length="12")
    before = parsedate_to_datetime(created.headers["Upload-Expires"])
    time.sleep(1.1)
    after = tus.patch(created.headers["Location"], 0, BODY[:2]).headers["Upload-Expires"]
    assert after.endswith("GMT")
    assert parsedate_to_datetime(after) > before


def test_ext_expire_004_005_opt_exp_002_scn_error_003_an_expired_upload_is_gone(tus: Tus) -> None:
    done, url = tus.create(), tus.create()
    tus.patch(done, 0, BODY)
    age(tus, url)
    assert (tus.head(url).status_code, tus.patch(url, 0, BODY).status_code) == (410, 410)
    assert tus.head(done).status_code == 200
    assert tus.create() != url


def age(tus: Tus, url: str) -> None:
    """Let an upload be past its time."""
    platform, upload_id = tus.user.site.platform, url.rpartition("/")[2]
    now = platform.clock.now()
    with platform.database.transaction() as tx:
        held = tx.uploads.take(upload_id, now, now)
        assert held
        tx.uploads.save(replace(held, expires_at=now - timedelta(seconds=1)))
        tx.uploads.release(held)


# --- Beside the suite


def test_others_uploads_are_not_found(tus: Tus, site: Site) -> None:
    url = tus.create()
    for other in (Tus(site.user()),):
        assert other.head(url).status_code == 404
        assert other.patch(url, 0, BODY).status_code == 404
        assert other.ask("DELETE", url).status_code == 404
    assert Tus(site.guest()).head(url).status_code == 401
    assert tus.offset(url) == 0


def test_bytes_are_not_touched_without_a_login(tus: Tus, site: Site) -> None:
    url = tus.create()
    assert Tus(site.guest()).patch(url, 0, BODY).status_code == 401
    assert tus.offset(url) == 0


def test_what_is_clearly_no_video_is_refused_by_its_first_bytes(tus: Tus) -> None:
    url = tus.create(1000)
    answer = tus.patch(url, 0, b"%PDF-1.7 " + b"x" * 100)
    assert (answer.status_code, problem(answer)["code"]) == (422, "source_not_video")
    assert tus.head(url).status_code == 410
    failure = tus.user.get(f"/api/v1/videos/{url.rpartition('/')[2]}").json()["failure"]
    assert failure["code"] == "source_not_video"
    assert "PDF" in failure["message"]
