"""The pages, in a real browser, over the API alone: no workers run here."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from nextstream.domain.accounts import Role
from tests.e2e import player
from tests.sites import PASSWORD, Site

pytestmark = [pytest.mark.xdist_group("pages"), pytest.mark.usefixtures("chromium")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=player.CHROMIUM, args=player.ARGUMENTS)


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """Give an empty browser; any error in a script fails the test."""
    context = browser.new_context(base_url=site.url)
    page = context.new_page()
    page.set_default_timeout(15_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if "Policy" in line.text else None)
    yield page
    context.close()
    assert not errors


def log_in(page: Page, name: str, button: str = "Log in") -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name=button).click()


def send(page: Page, name: str = "My film.mp4", size_bytes: int = 3_000_000) -> None:
    film = {"name": name, "mimeType": "video/mp4", "buffer": b"x" * size_bytes}
    page.locator("#files").set_input_files(film)  # type: ignore[arg-type]  # as its documentation has it


def test_a_newcomer_registers_uploads_and_deletes(page: Page) -> None:
    page.goto("/upload")
    expect(page).to_have_url(re.compile("/login"))
    log_in(page, f"new-{uuid.uuid4().hex[:8]}", "Create this account")
    expect(page).to_have_url(re.compile("/upload$"))
    send(page)
    page.get_by_role("link", name="Watch").click()
    expect(page.get_by_role("heading", name="My film")).to_be_visible()
    expect(page.get_by_text("Waiting for a worker")).to_be_visible()
    page.get_by_role("link", name="Library").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Keep").click()
    expect(page.locator(".card")).to_have_count(1)
    page.get_by_role("button", name="Delete").click()
    page.locator("#ask").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("There are no videos yet")).to_be_visible()


def test_a_wrong_password_is_told_on_the_page(page: Page) -> None:
    page.goto("/login")
    log_in(page, "nobody-known")
    expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong.")


@pytest.mark.parametrize(
    "where",
    [
        "//evil.example",
        "https://evil.example/",
        "javascript:alert(1)",
        "/.//evil.example",
        "/%252e//evil.example",
        "\\\\evil.example",
    ],
)
def test_a_login_never_leads_to_another_site(page: Page, site: Site, where: str) -> None:
    page.goto(f"/login?next={where}")
    log_in(page, site.user().name)
    expect(page).to_have_url(f"{site.url}/")


def test_an_expired_access_token_is_renewed_unseen(page: Page, site: Site) -> None:
    page.goto("/login")
    user = site.user()
    log_in(page, user.name)
    expect(page.get_by_text(user.name)).to_be_visible()
    page.context.clear_cookies(name="ns_access")
    page.goto("/upload")
    expect(page.get_by_text(user.name)).to_be_visible()
    page.context.clear_cookies(name="ns_access")
    send(page)
    expect(page.get_by_role("link", name="Watch")).to_be_visible()


def test_an_upload_goes_on_after_its_connection_broke(page: Page, site: Site) -> None:
    broken: list[str] = []

    def break_once(route: Route) -> None:
        if route.request.method == "PATCH" and len(broken) < 2:
            broken.append(route.request.url)
            route.abort("connectionreset")
        else:
            route.continue_()

    page.goto("/login")
    log_in(page, site.user().name)
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    page.route("**/api/v1/uploads/tus/*", break_once)
    page.goto("/upload")
    send(page)
    expect(page.get_by_role("link", name="Watch")).to_be_visible()
    assert len(broken) == 2


def test_a_file_that_is_no_video_is_told_in_its_row(page: Page, site: Site) -> None:
    page.goto("/login")
    log_in(page, site.user().name)
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    page.goto("/upload")
    document = {"name": "film.mp4", "mimeType": "video/mp4", "buffer": b"%PDF-1.7" + b"x" * 9000}
    page.locator("#files").set_input_files(document)  # type: ignore[arg-type]  # as above
    expect(page.get_by_text("The file is a PDF document")).to_be_visible()


def test_logging_out_ends_it(page: Page, site: Site) -> None:
    page.goto("/login")
    log_in(page, site.user().name)
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(f"{site.url}/login")
    page.goto("/")
    expect(page).to_have_url(re.compile("/login"))


def test_a_title_is_text_whatever_it_holds(page: Page, site: Site) -> None:
    title = "<img src=x onerror=document.title='owned'>"
    user = site.user()
    user.put("/api/v1/uploads/a.mp4", params={"title": title}, data=b"film")
    page.goto("/login")
    log_in(page, user.name)
    expect(page.locator(".card .title")).to_have_text(title)
    page.locator(".card .title").click()
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    assert "owned" not in page.title().split()


def test_why_a_video_failed_is_told_in_its_card(page: Page, site: Site) -> None:
    user = site.user()
    user.put("/api/v1/uploads/a.mp4", data=b"")
    page.goto("/login")
    log_in(page, user.name)
    expect(page.get_by_text("The upload holds no bytes; choose a video file.")).to_be_visible()


def test_a_guest_is_told_what_a_video_waits_for(page: Page, site: Site) -> None:
    page.goto(f"/watch/{site.user().upload()}")
    expect(page.get_by_text("Not ready yet")).to_be_visible()
    page.goto("/watch/none")
    expect(page.get_by_text("There is no such video")).to_be_visible()


def test_a_key_is_made_shown_once_used_and_revoked(page: Page, site: Site) -> None:
    user = site.user()
    page.goto("/login?next=/account")
    log_in(page, user.name)
    page.get_by_label("Name of a new key").fill("CI")
    page.get_by_label("videos:read").check()
    expect(page.get_by_label("account", exact=True)).to_have_count(0)  # no key has that scope
    page.get_by_role("button", name="Make key").click()
    secret = page.locator("#secret")
    expect(secret).to_have_text(re.compile(r"^ns_[0-9a-f]{16}_"))
    head = {"Authorization": f"Bearer {secret.text_content()}"}
    assert site.guest().get("/api/v1/videos", headers=head).status_code == 200
    page.reload()
    row = page.locator("#keys tr")
    expect(row).to_contain_text("videos:read")
    expect(secret).to_be_hidden()
    row.get_by_role("button", name="Revoke").click()
    expect(row).to_have_count(0)
    assert site.guest().get("/api/v1/videos", headers=head).status_code == 401


def test_a_password_is_changed_and_another_session_ended_on_the_page(page: Page, site: Site) -> None:
    user = site.user()
    page.goto("/login?next=/account")
    log_in(page, user.name)
    expect(page.locator("#sessions tr")).to_have_count(2)
    expect(page.get_by_text("this one")).to_have_count(1)
    page.locator("#sessions").get_by_role("button", name="End").click()
    expect(page.locator("#sessions tr")).to_have_count(1)
    assert user.get("/api/v1/auth/me").status_code == 401
    for current, new in [("not this one", "a new password"), (PASSWORD, "a new password")]:
        page.get_by_label("Current password").fill(current)
        page.get_by_label("New password").fill(new)
        page.get_by_role("button", name="Change password").click()
        says = "The current password is wrong." if current != PASSWORD else "The password is changed"
        expect(page.get_by_text(says)).to_be_visible()
    page.get_by_role("button", name="Log out everywhere").click()
    expect(page).to_have_url(re.compile("/login"))


def test_an_operator_changes_an_account_and_sees_it_in_the_log(page: Page, site: Site) -> None:
    operator, user = site.user(Role.OPERATOR), site.user()
    page.goto("/login")
    log_in(page, operator.name)
    page.get_by_role("link", name="Accounts").click()
    rows = page.locator("#accounts tr")
    expect(rows.first).to_be_visible()
    while page.get_by_role("row", name=user.name).count() == 0:
        shown = rows.count()
        page.locator("#more-accounts").click()
        expect(rows).not_to_have_count(shown)
    page.get_by_label(f"Role of {user.name}").select_option("viewer")
    row = page.get_by_role("row", name=user.name)
    row.get_by_role("button", name="Log out everywhere").click()
    expect(row.get_by_role("button", name="Sessions ended: 1")).to_be_visible()
    row.get_by_role("button", name="Disable").click()
    expect(row.get_by_role("button", name="Enable")).to_be_visible()
    assert user.get("/api/v1/auth/me").status_code == 401
    page.reload()
    expect(page.locator("#audit tr").first).to_contain_text("auth.")
    expect(page.locator("#audit").get_by_text("auth.role_changed").first).to_be_visible()


def test_others_see_nothing_on_the_operators_page(page: Page, site: Site) -> None:
    page.goto("/login?next=/accounts")
    log_in(page, site.user().name)
    expect(page.get_by_role("alert")).to_have_text("Only operators may do this.")
    expect(page.locator("#accounts tr")).to_have_count(0)
    expect(page.get_by_role("link", name="Accounts")).to_have_count(0)


def test_only_operators_are_shown_the_way_to_the_workers(page: Page, site: Site) -> None:
    page.goto("/login")
    log_in(page, site.user(Role.OPERATOR).name)
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    expect(page.get_by_role("link", name="Workers")).to_have_count(0)  # this site has no Flower
