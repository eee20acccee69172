// The page: which part of it is shown, and the list of cameras that all parts share.

import { camera } from "/static/camera.js";
import { el, text } from "/static/dom.js";
import { list } from "/static/list.js";
import { recordings } from "/static/recordings.js";
import { connect } from "/static/socket.js";

const main = document.getElementById("main");
const offline = document.getElementById("offline");
const watchers = new Set();
let streams;

/** Calls `watcher` with the cameras now and whenever they change. Returns a function that ends it. */
function watchStreams(watcher) {
  watchers.add(watcher);
  if (streams) watcher(streams);
  return () => watchers.delete(watcher);
}

connect("/ws/streams", {
  open: () => (offline.hidden = true),
  close: () => (offline.hidden = false),
  message: (message) => {
    streams = message.streams;
    watchers.forEach((watcher) => watcher(streams));
  },
});

let leave = () => {};
function route() {
  leave();
  main.replaceChildren();
  const [page, name] = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  for (const [id, mine] of [["nav-cameras", page !== "recordings"], ["nav-recordings", page === "recordings"]]) {
    const link = document.getElementById(id);
    if (mine) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (page === "camera" && name) {
    document.title = `${name} – cis`;
    main.append(el("a", { class: "back", href: "#/" }, "← All cameras"));
    leave = camera(main, name, watchStreams);
  } else if (page === "recordings") {
    document.title = "Recordings – cis";
    leave = recordings(main, name);
  } else {
    document.title = "Cameras – cis";
    leave = list(main, watchStreams);
  }
}
addEventListener("hashchange", () => {
  route();
  main.focus();
});
route();

const me = await (await fetch("/api/me")).json();
document.getElementById("nav-recordings").hidden = !me.recordings;
document.getElementById("logout").hidden = !me.user;
text(document.getElementById("user"), me.user);
