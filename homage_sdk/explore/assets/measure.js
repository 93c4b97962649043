/** How far the views are apart, in frames, as the page itself sees it picture by picture. */

/** @typedef {import("./clock.js").Clock} Clock */

const KEPT = 600;

export class Measure {
  /** @param {Clock} clock */
  constructor(clock) {
    this.clock = clock;
    /** Frames apart, of the latest samples taken while playing. @type {number[]} */
    this.samples = [];
    this.pictures = -1;
  }

  /** Frames between the earliest and the latest view on the screen now. */
  apart() {
    const shown = this.clock.tracks.map((track) => track.shown);
    return shown.length ? Math.max(...shown) - Math.min(...shown) : 0;
  }

  /** Take a sample where a new picture came to the screen while playing. */
  sample() {
    if (!this.clock.playing || this.clock.starting) return;
    const pictures = this.clock.tracks.reduce((sum, track) => sum + track.pictures, 0);
    if (pictures === this.pictures) return;
    this.pictures = pictures;
    this.samples.push(this.apart());
    if (this.samples.length > KEPT) this.samples.shift();
  }

  /** Share of the samples in which the views were within a frame, 0 to 1; null without any. */
  withinOne() {
    const { samples } = this;
    return samples.length ? samples.filter((apart) => apart <= 1).length / samples.length : null;
  }

  /** What is measured, in words. */
  words() {
    if (this.clock.tracks.length < 2) return "";
    const share = this.withinOne();
    const apart = this.apart();
    const now = `views ${apart} ${apart === 1 ? "frame" : "frames"} apart`;
    if (share === null) return now;
    const percent = (100 * share).toFixed(1);
    return `${now} · within 1 frame in ${percent} % of ${this.samples.length} samples`;
  }
}
