// Fragmented MP4 into a <video>, by Media Source Extensions. Live films are kept at their end.

/** Fragments that may wait for the decoder; more, and the film begins anew. */
const MOST = 600;
/** Seconds that are kept behind the position. */
const KEPT = 5;
/** Pictures behind the end at which a live film runs faster, and at which it jumps, which costs a decoder more; and both in seconds at least. */
const BEHIND = { pictures: 2.5, seconds: 0.25 };
const JUMP = { pictures: 6, seconds: 1 };

export class Player {
  constructor(video, { live }) {
    this.video = video;
    this.live = live;
    this.queue = [];
    /** Seconds from one picture to the next, roughly. */
    this.pace = 0;
    this.onstuck = () => {};
    video.muted = true;
    this.timer = setInterval(() => this.keepUp(), 200);
  }

  /** A film begins: its codec, and what comes before its fragments. */
  begin(codec) {
    this.end();
    const type = `video/mp4; codecs="${codec}"`;
    if (!window.MediaSource?.isTypeSupported(type)) return false;
    const source = new MediaSource();
    this.source = source;
    this.url = URL.createObjectURL(source);
    source.addEventListener("sourceopen", () => {
      if (this.source !== source) return;
      this.buffer = source.addSourceBuffer(type);
      this.buffer.addEventListener("updateend", () => this.pump());
      this.buffer.addEventListener("error", () => this.onstuck());
      this.pump();
    });
    this.video.src = this.url;
    this.video.play().catch(() => {});
    return true;
  }

  /** The next bytes. */
  append(data) {
    if (!this.source) return;
    const now = performance.now() / 1000;
    if (this.last) this.pace += (Math.min(now - this.last, 5) - this.pace) / 8;
    this.last = now;
    this.queue.push(data);
    if (this.queue.length > MOST) return this.onstuck();
    this.pump();
  }

  /** No more bytes come; what is there is still shown. */
  finish() {
    this.finished = true;
    this.pump();
  }

  /** Forgets the film. */
  end() {
    this.queue = [];
    this.finished = false;
    this.buffer = this.source = this.last = undefined;
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = undefined;
  }

  close() {
    clearInterval(this.timer);
    this.end();
    this.video.removeAttribute("src");
    this.video.load();
  }

  pump() {
    const { buffer, source, video } = this;
    if (!buffer || buffer.updating || source.readyState !== "open") return;
    try {
      const ranges = buffer.buffered;
      if (ranges.length && video.currentTime - ranges.start(0) > 2 * KEPT) {
        buffer.remove(0, video.currentTime - KEPT);
      } else if (this.queue.length) {
        buffer.appendBuffer(this.queue.shift());
      } else if (this.finished) {
        source.endOfStream();
      }
    } catch (error) {
      console.warn("the film is given up:", error);
      this.onstuck();
    }
  }

  keepUp() {
    const { video, buffer } = this;
    if (!buffer || !this.source || video.error) {
      if (video.error && this.source) this.onstuck();
      return;
    }
    const ranges = video.buffered;
    if (ranges.length === 0) return;
    const [start, end] = [ranges.start(ranges.length - 1), ranges.end(ranges.length - 1)];
    if (video.currentTime < start) video.currentTime = start;
    if (!this.live) return;
    const behind = end - video.currentTime;
    const beyond = ({ pictures, seconds }) => behind > Math.max(pictures * this.pace, seconds);
    if (beyond(JUMP) && !video.seeking) video.currentTime = Math.max(start, end - this.pace / 2);
    video.playbackRate = beyond(BEHIND) ? 1.25 : 1;
    // A browser pauses what was hidden.
    if (video.paused && !document.hidden) video.play().catch(() => {});
  }
}
