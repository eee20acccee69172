// Boxes over a video: each picture's are drawn when that picture is shown.

import { hue } from "/static/dom.js";

/** Pictures whose turn has not come; a film that nobody shows must not fill the memory. */
const MOST = 1000;

export class Boxes {
  constructor(video, canvas) {
    this.video = video;
    this.canvas = canvas;
    this.pictures = [];
    this.shown = null;
    this.visible = true;
    this.onshow = () => {};
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(video);
    const frame = (_now, { mediaTime }) => {
      this.show(mediaTime);
      this.handle = video.requestVideoFrameCallback(frame);
    };
    this.handle = video.requestVideoFrameCallback(frame);
  }

  /** A picture is on its way. */
  add(picture) {
    picture.arrived_ms = Date.now();
    this.pictures.push(picture);
    if (this.pictures.length > MOST) this.pictures.shift();
  }

  /** Another film begins. */
  clear() {
    this.pictures = [];
    this.shown = null;
    this.draw();
  }

  toggle(visible) {
    this.visible = visible;
    this.draw();
  }

  close() {
    this.observer.disconnect();
    this.video.cancelVideoFrameCallback(this.handle);
  }

  show(mediaTime) {
    // Time stamps are rounded to the container's clock.
    const next = this.pictures.findIndex(({ time }) => time > mediaTime + 0.004);
    const past = next < 0 ? this.pictures.length : next;
    if (past === 0) return;
    this.shown = this.pictures[past - 1];
    this.pictures.splice(0, past - 1);
    // Nothing but rounding when it is the very picture.
    this.canvas.dataset.offset = mediaTime - this.shown.time;
    this.draw();
    this.onshow(this.shown);
  }

  draw() {
    const { video, canvas } = this;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [video.clientWidth, video.clientHeight];
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const objects = (this.visible && this.shown?.objects) || [];
    canvas.dataset.boxes = objects.length;
    if (!video.videoWidth || objects.length === 0) return;
    // The picture keeps its shape inside the element.
    const scale = Math.min(width / video.videoWidth, height / video.videoHeight);
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    context.translate((width - video.videoWidth * scale) / 2, (height - video.videoHeight * scale) / 2);
    context.font = "600 12px system-ui, sans-serif";
    context.textBaseline = "top";
    for (const { label, confidence, box, track_id: track } of objects) {
      const [x, y, w, h] = box.map((side) => side * scale);
      const colour = `hsl(${hue(label)} 85% 60%)`;
      context.lineWidth = 2;
      context.strokeStyle = colour;
      context.strokeRect(x, y, w, h);
      const caption = `${label}${track == null ? "" : ` ${track}`} ${Math.round(confidence * 100)} %`;
      const wide = context.measureText(caption).width + 8;
      const top = Math.max(0, y - 18);
      context.fillStyle = colour;
      context.fillRect(x - 1, top, wide, 18);
      context.fillStyle = "#101418";
      context.fillText(caption, x + 3, top + 3);
    }
  }
}
