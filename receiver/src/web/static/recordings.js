// Recordings of a camera: a bar for each day, and their replay.

import { play, screen } from "/static/camera.js";
import { clock, el, size, text } from "/static/dom.js";

const DAY = 24 * 3600 * 1000;

export function recordings(main, name) {
  const select = el("select");
  const days = el("div", { class: "days" });
  const place = el("div", { class: "replay" });
  const empty = el("p", { class: "empty", hidden: true }, "There are no recordings.");
  main.append(el("h1", {}, "Recordings"), el("label", { class: "field" }, "Camera ", select), empty, place, days);
  let close = () => {};

  const show = async (stream) => {
    const found = await get(`/api/recordings/${encodeURIComponent(stream)}`);
    days.replaceChildren(...byDay(found).map((day) => track(day, open)));
    empty.hidden = found.length > 0;
  };
  const open = (recording) => {
    close();
    close = replay(place, select.value, recording);
    place.scrollIntoView({ block: "nearest" });
  };
  select.onchange = () => {
    location.hash = `#/recordings/${encodeURIComponent(select.value)}`;
  };
  (async () => {
    const streams = await get("/api/recordings");
    select.append(...streams.map((stream) => el("option", { value: stream }, stream)));
    empty.hidden = streams.length > 0;
    const chosen = streams.includes(name) ? name : streams[0];
    if (chosen) {
      select.value = chosen;
      await show(chosen);
    }
  })();
  return () => close();
}

async function get(path) {
  const response = await fetch(path);
  if (response.status === 401) location.assign("/login");
  return response.ok ? response.json() : [];
}

/** Recordings by the day on which they begin, in the browser's time zone; newest day first. */
function byDay(found) {
  const days = new Map();
  for (const recording of found) {
    const start = new Date(recording.start);
    const midnight = new Date(start.getFullYear(), start.getMonth(), start.getDate()).getTime();
    if (!days.has(midnight)) days.set(midnight, []);
    days.get(midnight).push(recording);
  }
  return [...days].sort(([a], [b]) => b - a);
}

function track([midnight, found], open) {
  const bar = el("div", { class: "track", "aria-hidden": "true" });
  for (let hour = 0; hour <= 24; hour += 6) {
    const mark = el("span", { class: "hour" }, String(hour).padStart(2, "0"));
    mark.style.left = `${(hour / 24) * 100}%`;
    bar.append(mark);
  }
  const rows = found.map((recording) => {
    const [start, end] = [Date.parse(recording.start), Date.parse(recording.end)];
    const block = el("button", { class: recording.late ? "block late" : "block", tabindex: "-1", title: recording.file });
    block.style.left = `${((start - midnight) / DAY) * 100}%`;
    block.style.width = `${Math.min(1, (end - start) / DAY) * 100}%`;
    block.onclick = () => open(recording);
    bar.append(block);
    const button = el("button", { class: "quiet", type: "button" }, "Play");
    button.setAttribute("aria-label", `Play the recording of ${new Date(start).toLocaleString()}`);
    button.onclick = () => open(recording);
    return el(
      "tr",
      {},
      el("td", {}, new Date(start).toLocaleTimeString()),
      el("td", {}, clock((end - start) / 1000)),
      el("td", { class: "wide" }, size(recording.bytes)),
      el("td", {}, recording.late ? el("span", { class: "badge late", title: "It came later, out of the camera's spool." }, "late") : ""),
      el("td", {}, button),
    );
  });
  const head = ["begins", "length", "size", "", ""].map((label, at) => el("th", at === 2 ? { class: "wide" } : {}, label));
  const date = new Date(midnight).toLocaleDateString([], { weekday: "short", day: "numeric", month: "long", year: "numeric" });
  return el("section", { class: "card day" }, el("h2", {}, date), bar, el("table", {}, el("thead", {}, el("tr", {}, head)), el("tbody", {}, rows)));
}

/** Plays a recording in `place`. Returns a function that ends it. */
function replay(place, stream, recording) {
  const view = screen(stream, { live: false });
  const pause = el("button", { type: "button" }, "Pause");
  const slider = el("input", { type: "range", min: "0", max: "0", step: "0.1", value: "0", "aria-label": "Position" });
  const time = el("output", { class: "time" });
  const start = Date.parse(recording.start);
  place.replaceChildren(
    el("h2", {}, `${stream}, `, new Date(start).toLocaleString()),
    view.root,
    el("div", { class: "tools" }, pause, slider, time),
  );
  let [from, length, stop, held] = [0, 0, () => {}, false];
  const position = () => (view.player.source || view.video.ended ? from + view.video.currentTime : from);

  const open = (at) => {
    stop();
    view.player.end();
    view.boxes.clear();
    from = at;
    held = false;
    text(pause, "Pause");
    text(view.note, "Opening the recording …");
    const path = `/ws/replay/${encodeURIComponent(stream)}/${encodeURIComponent(recording.file)}?from=${at}`;
    const ended = () => {
      stop();
      view.player.finish();
    };
    stop = play(path, view, {
      recording: (message) => {
        length = message.length ?? 0;
        slider.max = String(length);
      },
      end: ended,
      gone: () => (stop(), text(view.note, "This recording is not there any more.")),
      busy: ({ reason }) => (stop(), text(view.note, `No replay: ${reason}.`)),
      failed: ({ reason }) => (stop(), text(view.note, reason)),
    });
  };
  const hold = () => {
    from = position();
    held = true;
    stop();
    view.video.pause();
    text(pause, "Play");
  };
  pause.onclick = () => (held ? open(from) : view.video.ended ? open(0) : hold());
  slider.onchange = () => open(Number(slider.value));
  slider.oninput = () => text(time, `${clock(Number(slider.value))} / ${clock(length)}`);
  view.video.onended = () => text(pause, "Play again");
  const timer = setInterval(() => {
    if (held || slider.matches(":active")) return;
    slider.value = String(position());
    text(time, `${clock(position())} / ${clock(length)}`);
  }, 250);
  open(0);
  return () => {
    clearInterval(timer);
    stop();
    view.boxes.close();
    view.player.close();
    place.replaceChildren();
  };
}
