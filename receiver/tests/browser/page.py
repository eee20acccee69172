"""The web page in headless Chromium: log-in, list, live picture, boxes, replay; screenshots of all of it.

What is asserted are states and counts, never times; the latency is measured and printed.
"""

import argparse
import statistics
import urllib.error
import urllib.request
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from processes import DEADLINE, NAME, PASSWORD, Site, wait_for

CHROMIUM = "/usr/bin/chromium"
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
VIDEO = """() => {
    const video = document.querySelector("video");
    // The page is being built.
    if (!video) return { time: 0, width: 0, height: 0, frames: 0, dropped: 0 };
    const { totalVideoFrames, droppedVideoFrames } = video.getVideoPlaybackQuality();
    return { time: video.currentTime, width: video.videoWidth, height: video.videoHeight, frames: totalVideoFrames, dropped: droppedVideoFrames };
}"""
BOXES = "() => Number(document.querySelector('canvas').dataset.boxes)"
# Pixels of the canvas that are not transparent.
PAINTED = """() => {
    const canvas = document.querySelector("canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let painted = 0;
    for (let i = 3; i < data.length; i += 4) painted += data[i] > 0;
    return painted;
}"""


class Test:
    def __init__(self, browser, site, folder):
        self.browser, self.site, self.folder = browser, site, folder
        self.context = browser.new_context(viewport=DESKTOP)
        self.page = self.context.new_page()
        self.page.set_default_timeout(1000 * DEADLINE)
        self.errors = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda m: m.type == "error" and "Content Security Policy" in m.text and self.errors.append(m.text))
        expect.set_options(timeout=1000 * DEADLINE)

    def shoot(self, name):
        for scheme in ("light", "dark"):
            for device, size in (("desktop", DESKTOP), ("phone", PHONE)):
                self.page.emulate_media(color_scheme=scheme)
                self.page.set_viewport_size(size)
                self.page.evaluate("scrollTo(0, 0)")
                self.page.wait_for_timeout(300)
                self.page.screenshot(path=self.folder / f"{name}-{scheme}-{device}.png", animations="disabled")
        self.page.emulate_media(color_scheme="light")
        self.page.set_viewport_size(DESKTOP)

    def advances(self):
        """The video plays: its time and its decoded frames grow."""
        before = wait_for("a picture", lambda: (v := self.page.evaluate(VIDEO))["frames"] > 0 and v)

        def grown(video):
            nonlocal before
            if video["time"] < before["time"]:
                before = video  # Another film: what was seen before was the last one's.
            return video["time"] > before["time"] and video["frames"] >= before["frames"] + 5

        try:
            return wait_for("pictures", lambda: grown(v := self.page.evaluate(VIDEO)) and v)
        except AssertionError as error:
            words = self.page.locator("main").inner_text()
            raise AssertionError(f"{error}; {before} has become {self.page.evaluate(VIDEO)}; the page says: {words}") from None

    def login_is_enforced(self):
        def status(path, **headers):
            request = urllib.request.Request(self.site.url + path, headers=headers)
            try:
                return urllib.request.urlopen(request).status
            except urllib.error.HTTPError as error:
                return error.code

        for path in ("/api/me", "/api/recordings", "/api/recordings/gate-1", "/ws/streams", "/ws/live/gate-1"):
            assert status(path) == 401, path
            assert status(path, Cookie="cis=" + "0" * 64) == 401, path
        assert status("/static/style.css") == 200
        page = self.page
        page.goto(self.site.url)
        assert page.url.endswith("/login")
        self.shoot("login")
        page.get_by_label("Name").fill(NAME)
        page.get_by_label("Password").fill("not the password")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("alert")).to_have_text("Wrong name or password.")
        page.get_by_label("Name").fill(NAME)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("heading", name="Cameras")).to_be_visible()
        (cookie,) = self.context.cookies()
        assert cookie["httpOnly"] and cookie["sameSite"] == "Strict", cookie

    def list_is_live(self):
        page = self.page
        expect(page.get_by_role("link", name="gate-1")).to_be_visible()
        card = page.locator(".camera", has_text="gate-1")
        expect(card.locator(".state")).to_have_text("live")
        expect(card.locator(".chips")).to_contain_text("person")
        expect(card.locator(".watched")).to_be_hidden()
        self.shoot("list")

    def picture_is_live(self):
        page = self.page
        page.get_by_role("link", name="gate-1").click()
        video = self.advances()
        assert (video["width"], video["height"]) == (640, 272), video
        wait_for("boxes", lambda: page.evaluate(BOXES) > 0 and page.evaluate(PAINTED) > 100)
        # The boxes are those of the picture that is shown.
        offset = "() => Number(document.querySelector('canvas').dataset.offset)"
        assert abs(page.evaluate(offset)) < 0.01, page.evaluate(offset)
        page.get_by_role("switch", name="Boxes").uncheck()
        wait_for("no boxes", lambda: page.evaluate(BOXES) == 0 and page.evaluate(PAINTED) == 0)
        self.advances()
        assert page.evaluate(PAINTED) == 0
        page.get_by_role("switch", name="Boxes").check()
        wait_for("boxes again", lambda: page.evaluate(PAINTED) > 100)
        # The camera enhances while somebody watches.
        expect(page.locator(".generated")).to_have_text("generated, enhanced")
        expect(page.locator("dd").first).to_contain_text("+")
        self.latency()
        self.shoot("camera")

    def latency(self):
        page, samples = self.page, []
        for _ in range(50):
            page.wait_for_timeout(100)
            ms = page.evaluate("() => (({ ms, arrived }) => [Number(ms), Number(arrived)])(document.querySelector('.delay').dataset)")
            if not samples or ms != samples[-1]:
                samples.append(ms)
        shown, arrived = (statistics.median(times) for times in zip(*samples))
        print(f"latency: capture to browser p50 {arrived:.0f} ms, to screen {shown:.0f} ms, {len(samples)} pictures in 5 s")

    def page_recovers(self):
        page, site = self.page, self.site
        site.stop_camera()
        expect(page.locator(".note")).to_contain_text("not connected")
        expect(page.locator("h1 .state")).to_contain_text("not connected")
        site.start_camera()
        self.advances()
        expect(page.locator(".note")).to_be_hidden()
        # The receiver goes and comes back, and log-ins with it are gone.
        site.stop()
        expect(page.locator("#offline")).to_be_visible()
        site.start()
        page.wait_for_url("**/login")
        page.get_by_label("Name").fill(NAME)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("link", name="gate-1").click()
        self.advances()

    def two_watch_one_picture(self):
        other = self.context.new_page()
        other.goto(f"{self.site.url}/#/camera/gate-1")
        wait_for("pictures there too", lambda: other.evaluate(VIDEO)["frames"] > 3)
        other.close()
        self.advances()

    def enhancement_ends_with_the_last(self):
        page = self.page
        page.get_by_role("link", name="All cameras").click()
        card = page.locator(".camera", has_text="gate-1")
        expect(card.locator(".watched")).to_be_hidden()
        expect(card.locator("dd").first).not_to_contain_text("+")

    def recording_replays(self):
        page = self.page
        page.get_by_role("link", name="Recordings").click()
        expect(page.get_by_role("button", name="Play").last).to_be_visible()
        page.get_by_role("button", name="Play").last.click()
        self.advances()
        wait_for("boxes", lambda: page.evaluate(PAINTED) > 100)
        expect(page.locator(".generated")).to_contain_text("generated")
        self.shoot("replay")
        # From a position in the middle.
        slider = page.get_by_role("slider", name="Position")
        length = float(slider.get_attribute("max"))
        assert length > 5, length
        slider.evaluate("(s, at) => { s.value = at; s.dispatchEvent(new Event('change')); }", length / 2)
        self.advances()
        position = wait_for("the position", lambda: float(slider.input_value()) > length / 2 and float(slider.input_value()))
        assert position <= length + 1, (position, length)
        page.get_by_role("button", name="Pause").click()
        page.get_by_role("button", name="Play", exact=True).first.click()
        self.advances()

    def logout_ends_it(self):
        page = self.page
        cookie = self.context.cookies()[0]
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url("**/login")
        # The cookie is worth nothing any more, also to those who kept it.
        self.context.add_cookies([cookie])
        page.goto(self.site.url)
        assert page.url.endswith("/login")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--screenshots", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.screenshots.mkdir(parents=True, exist_ok=True)
    with Site(arguments.clip.resolve()) as site, sync_playwright() as playwright:
        site.start()
        site.start_camera()
        flags = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        test = Test(browser, site, arguments.screenshots)
        steps = [
            test.login_is_enforced,
            test.list_is_live,
            test.picture_is_live,
            test.two_watch_one_picture,
            test.page_recovers,
            test.enhancement_ends_with_the_last,
            test.recording_replays,
            test.logout_ends_it,
        ]
        for step in steps:
            try:
                step()
            except BaseException:
                test.page.screenshot(path=arguments.screenshots / "failed.png")
                print(site.said()[-4000:])
                raise
            print("ok:", step.__name__.replace("_", " "), flush=True)
        assert not test.errors, test.errors
        browser.close()


main()
