// The list of cameras.

import { chips, el, text } from "/static/dom.js";

const STATES = { live: "live", silent: "no frames", gone: "not connected" };

export function list(main, watchStreams) {
  const grid = el("ul", { class: "grid", "aria-label": "Cameras" });
  const empty = el("p", { class: "empty", hidden: true }, "No camera has connected yet.");
  main.append(el("h1", {}, "Cameras"), empty, grid);
  const cards = new Map();

  return watchStreams((streams) => {
    empty.hidden = streams.length > 0;
    const names = new Set(streams.map(({ name }) => name));
    for (const [name, card] of cards) {
      if (names.has(name)) continue;
      card.root.remove();
      cards.delete(name);
    }
    streams.forEach((stream, at) => {
      const card = cards.get(stream.name) ?? make(stream.name);
      cards.set(stream.name, card);
      if (grid.children[at] !== card.root) grid.insertBefore(card.root, grid.children[at] ?? null);
      card.update(stream);
    });
  });
}

function make(name) {
  const badge = state();
  const watched = el("span", { class: "badge watched", hidden: true, title: "somebody watches" }, "watched");
  const figures = stats();
  const objects = el("p", { class: "chips" });
  const root = el(
    "li",
    { class: "card camera" },
    el("h2", {}, el("a", { href: `#/camera/${encodeURIComponent(name)}` }, name)),
    el("p", { class: "badges" }, badge.root, watched),
    figures.root,
    objects,
  );
  return {
    root,
    update(stream) {
      badge.update(stream);
      figures.update(stream);
      watched.hidden = !stream.watched;
      objects.replaceChildren(...(stream.state === "gone" ? [] : chips(stream.objects)));
    },
  };
}

/** The badge that says how a camera is. */
export function state() {
  const root = el("span", { class: "badge state" });
  return {
    root,
    update({ state, since }) {
      root.dataset.state = state;
      const at = since ? ` since ${new Date(since).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}` : "";
      text(root, STATES[state] + at);
    },
  };
}

/** The figures of a camera. */
export function stats() {
  const figure = (label, title) => {
    const value = el("dd");
    const root = el("div", { title }, el("dt", {}, label), value);
    return { root, set: (t) => text(value, t) };
  };
  const rate = figure("kbit/s", "features, and + enhancement layer");
  const fps = figure("frames/s");
  const latency = figure("latency", "capture to result: median of the newest frames");
  const lost = figure("lost", "frames that were not decoded, detected, recorded or shown");
  const root = el("dl", { class: "stats" }, rate.root, fps.root, latency.root, lost.root);
  return {
    root,
    update(stream) {
      const gone = stream.state === "gone";
      const extra = stream.enhancement_kbit_s > 0 ? ` + ${stream.enhancement_kbit_s.toFixed(0)}` : "";
      rate.set(gone ? "–" : stream.kbit_s.toFixed(stream.kbit_s < 100 ? 1 : 0) + extra);
      fps.set(gone ? "–" : stream.fps.toFixed(1));
      latency.set(gone || !stream.latency_ms ? "–" : `${stream.latency_ms.p50} ms`);
      const counts = Object.entries(stream.lost ?? {});
      const sum = counts.reduce((n, [, count]) => n + count, 0);
      lost.set(gone ? "–" : String(sum));
      lost.root.title = counts.map(([what, count]) => `${count} ${what}`).join(", ");
      lost.root.classList.toggle("warn", sum > 0);
    },
  };
}
