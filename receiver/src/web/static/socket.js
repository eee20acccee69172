// A WebSocket that comes back by itself, and notices when the log-in is no longer valid.

const FIRST = 400;
const LONGEST = 8000;

/**
 * Connects to `path`. `on` has `open`, `message` (an object), `data` (an ArrayBuffer) and `close`, all optional.
 * Returns a function that ends it.
 */
export function connect(path, on) {
  let pause = FIRST;
  let socket;
  let timer;
  let over = false;

  const open = () => {
    socket = new WebSocket(new URL(path, location.href.replace(/^http/, "ws")));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => on.open?.();
    socket.onmessage = ({ data }) => {
      if (typeof data !== "string") {
        // What serves data is well again.
        pause = FIRST;
        return on.data?.(data);
      }
      const message = JSON.parse(data);
      if (message.type === "streams") pause = FIRST;
      on.message?.(message);
    };
    socket.onclose = async () => {
      if (over) return;
      on.close?.();
      const wait = pause * (0.75 + Math.random() / 2);
      pause = Math.min(pause * 2, LONGEST);
      timer = setTimeout(open, wait);
      try {
        if ((await fetch("/api/me")).status === 401) location.assign("/login");
      } catch {
        // The receiver is not there: the next attempt will tell.
      }
    };
  };
  open();
  return () => {
    over = true;
    clearTimeout(timer);
    socket.close();
  };
}
