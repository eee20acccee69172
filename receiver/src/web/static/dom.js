// Small helpers to make elements and texts.

/** An element: attributes by name, `class` included; children are elements or texts. */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child != null));
  return element;
}

/** Changes a text only when it differs, so that screen readers and selections are left alone. */
export function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

/** `1536` as `1.5 kB`. */
export function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (bytes >= 1000 && unit < units.length - 1) {
    bytes /= 1000;
    unit += 1;
  }
  return `${bytes.toFixed(unit && bytes < 100 ? 1 : 0)} ${units[unit]}`;
}

/** Seconds as `1:02:03`. */
export function clock(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  const two = (n) => String(n).padStart(2, "0");
  const minutes = Math.floor(s / 60);
  return minutes < 60 ? `${minutes}:${two(s % 60)}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(s % 60)}`;
}

/** `{person: 2, car: 1}` as chips. */
export function chips(objects) {
  const entries = Object.entries(objects ?? {}).sort((a, b) => b[1] - a[1]);
  if (entries.length === 0) return [el("span", { class: "none" }, "nothing")];
  return entries.map(([label, count]) => {
    const chip = el("span", { class: "chip" }, `${count} × ${label}`);
    chip.style.setProperty("--hue", hue(label));
    return chip;
  });
}

/** The same colour for a class everywhere. */
export function hue(label) {
  let hash = 7;
  for (const c of label) hash = (hash * 31 + c.codePointAt(0)) % 3600;
  return (hash * 47) % 360;
}

/** Sums of counted objects. */
export function count(objects) {
  const sums = {};
  for (const { label } of objects) sums[label] = (sums[label] ?? 0) + 1;
  return sums;
}
