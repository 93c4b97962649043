/** Rows over time with one axis, one zoom and one playhead; positions are shares of the width. */

import { button, element, secondsOf } from "./elements.js";
import { FPS } from "./track.js";

/** @typedef {import("./clock.js").Clock} Clock */
/** @typedef {import("./types.js").Stretch} Stretch */

const ZOOMS = [1, 1.5, 2, 3, 4, 6, 8, 12, 16];
const STEPS = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
const FEWEST_PX = 64;

export class Timeline {
  /**
   * @param {HTMLElement} where
   * @param {Clock} clock
   */
  constructor(where, clock) {
    this.clock = clock;
    this.zoom = 1;
    this.follow = true;
    this.bar = this.zoomBar();
    this.scroller = element("div", "scroller");
    this.scroller.tabIndex = 0;
    this.scroller.setAttribute("role", "region");
    this.scroller.setAttribute("aria-label", "Timeline");
    this.inner = element("div", "inner");
    this.axis = this.row("", "axis");
    this.playhead = element("div", "playhead");
    this.inner.append(this.playhead);
    this.scroller.append(this.inner);
    where.append(this.bar, this.scroller);
    clock.listeners.add(() => this.update());
    new ResizeObserver(() => this.resized()).observe(this.scroller);
  }

  zoomBar() {
    const bar = element("div", "row zoombar");
    const out = button("zoom", "−", "Zoom out", () => this.setZoom(-1));
    const close = button("zoom", "+", "Zoom in", () => this.setZoom(1));
    const label = element("label", "", " Follow");
    const box = element("input");
    box.type = "checkbox";
    box.checked = true;
    box.addEventListener("change", () => {
      this.follow = box.checked;
    });
    label.prepend(box);
    this.said = element("output", "zoomed", "1×");
    bar.append(element("span", "", "Zoom"), out, this.said, close, label);
    return bar;
  }

  /** @param {number} by steps in or out */
  setZoom(by) {
    const at = ZOOMS.indexOf(this.zoom) + by;
    this.zoom = ZOOMS[Math.min(ZOOMS.length - 1, Math.max(0, at))];
    this.inner.style.setProperty("--zoom", String(this.zoom));
    if (this.said) this.said.textContent = `${this.zoom}×`;
    this.resized();
    this.bringIntoView(true);
  }

  /**
   * A row: its body takes what lies at a time. A click on the free body goes there.
   *
   * @param {string} label
   * @param {string} name its classes
   * @param {string} [hover]
   */
  row(label, name, hover = "") {
    const made = element("div", `line ${name}`);
    const head = element("div", "head", label);
    if (hover || label) head.title = hover || label;
    const body = element("div", "body");
    body.addEventListener("click", (event) => {
      if (event.target instanceof HTMLButtonElement) return;
      const box = body.getBoundingClientRect();
      const share = (event.clientX - box.left) / box.width;
      void this.clock.seek(Math.floor(share * this.clock.nFrames));
    });
    made.append(head, body);
    this.inner.append(made);
    return { row: made, head, body };
  }

  /**
   * Put an element over frames, 1-based and both included, as far as they lie in the sequence.
   *
   * @param {HTMLElement} what
   * @param {Stretch} frames
   */
  span(what, [first, last]) {
    const n = this.clock.nFrames;
    const end = Math.min(n, last);
    what.style.left = `${(100 * (first - 1)) / n}%`;
    what.style.width = `${(100 * (end - first + 1)) / n}%`;
    return what;
  }

  bodyWidth() {
    return this.axis.body.clientWidth;
  }

  resized() {
    const width = this.bodyWidth();
    if (!width) return;
    const seconds = this.clock.nFrames / FPS;
    const step = STEPS.find((each) => (each / seconds) * width >= FEWEST_PX) ?? seconds;
    const ticks = [];
    for (let k = 0; k * step < seconds; k++) {
      const tick = element("span", "tick", `${+(k * step).toFixed(1)} s`);
      tick.style.left = `${(100 * k * step) / seconds}%`;
      if ((1 - (k * step) / seconds) * width > 36) ticks.push(tick); // the last must have room
    }
    this.axis.body.replaceChildren(...ticks);
    this.update();
  }

  update() {
    const { clock } = this;
    const share = (clock.at + 0.5) / clock.nFrames;
    const head = this.axis.head.offsetWidth;
    const px = head + share * this.bodyWidth();
    this.playhead.style.transform = `translateX(${px}px)`;
    if (clock.playing && this.follow) this.bringIntoView(false);
  }

  /** @param {boolean} always also where it can be seen */
  bringIntoView(always) {
    if (this.zoom === 1) return;
    const head = this.axis.head.offsetWidth;
    const px = ((this.clock.at + 0.5) / this.clock.nFrames) * this.bodyWidth();
    const room = this.scroller.clientWidth - head;
    const from = px - this.scroller.scrollLeft;
    if (always || from < 0 || from > 0.85 * room) this.scroller.scrollLeft = px - 0.3 * room;
  }

  /**
   * Where frames are, in words.
   *
   * @param {Stretch} frames
   */
  static words([first, last]) {
    const from = secondsOf(first);
    if (first === last) return `frame ${first}, ${from} s`;
    return `frames ${first} to ${last}, ${from} to ${secondsOf(last + 1)} s`;
  }
}
