/** Buttons and keys: playing, stepping, scrubbing, speeds, loops, sound. */

import { button, element, secondsOf } from "./elements.js";
import { FPS } from "./track.js";

/** @typedef {import("./clock.js").Clock} Clock */

const RATES = [0.1, 0.25, 0.5, 0.75, 1, 1.5, 2];
const KEYS = [
  ["space", "play or pause"],
  ["left, right", "a second back, a second on"],
  ["comma, period", "a frame back, a frame on"],
  ["l", "loop over the chosen action"],
  ["m", "sound on or off"],
];

export class Controls {
  /**
   * @param {HTMLElement} where
   * @param {Clock} clock
   */
  constructor(where, clock) {
    this.clock = clock;
    /** The action chosen to loop over, 0-based frames. @type {[number, number] | null} */
    this.chosen = null;
    this.play = button("play", "", "Play (space)", () => void clock.toggle());
    this.scrubber = this.slider();
    this.position = element("output", "position");
    this.sound = button("sound", "", "Sound (m)", () => this.toggleSound());
    this.looping = button("loop", "Loop", "Loop over the chosen action (l)", () => this.toggleLoop());
    this.refused = element("p", "refused");
    this.refused.setAttribute("role", "status");
    const back = button("step", "‹", "A frame back (comma)", () => this.step(-1));
    const on = button("step", "›", "A frame on (period)", () => this.step(1));
    const row = element("div", "row");
    row.append(this.play, back, on, this.position, this.speeds(), this.looping, this.sound, help());
    where.append(this.scrubber, row, this.refused);
    document.addEventListener("keydown", (event) => this.key(event));
    clock.listeners.add(() => this.update());
    this.update();
  }

  slider() {
    const made = element("input", "scrubber");
    made.type = "range";
    made.min = "1";
    made.max = String(this.clock.nFrames);
    made.step = "1";
    made.setAttribute("aria-label", "Frame");
    made.addEventListener("input", () => void this.clock.seek(Number(made.value) - 1));
    return made;
  }

  speeds() {
    const label = element("label", "speed", "Speed ");
    const made = element("select");
    for (const rate of RATES) {
      const option = element("option", "", `${rate}×`);
      option.value = String(rate);
      option.selected = rate === 1;
      made.append(option);
    }
    made.addEventListener("change", () => this.clock.setRate(Number(made.value)));
    label.append(made);
    return label;
  }

  /** @param {number} frames */
  step(frames) {
    if (this.clock.playing) void this.clock.pause().then(() => this.clock.seek(this.clock.at + frames));
    else void this.clock.seek(this.clock.at + frames);
  }

  toggleSound() {
    const { audio } = this.clock;
    if (audio) audio.muted = !audio.muted;
    this.update();
  }

  toggleLoop() {
    const { clock } = this;
    clock.loop = clock.loop ? null : this.chosen;
    if (clock.loop && (clock.at < clock.loop[0] || clock.at > clock.loop[1])) {
      void clock.seek(clock.loop[0]);
    }
    this.update();
  }

  /**
   * Choose an action: go to its beginning; a loop that is on is over it from now on.
   *
   * @param {number} first 1-based
   * @param {number} last
   */
  choose(first, last) {
    const end = Math.min(last, this.clock.nFrames) - 1;
    if (first - 1 > end) return;
    this.chosen = [first - 1, end];
    if (this.clock.loop) this.clock.loop = this.chosen;
    void this.clock.seek(first - 1);
    this.update();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (hasItsOwn(event.target, event.key)) return;
    const second = FPS;
    const acts = {
      " ": () => void this.clock.toggle(),
      ArrowLeft: () => void this.clock.seek(this.clock.at - second),
      ArrowRight: () => void this.clock.seek(this.clock.at + second),
      ",": () => this.step(-1),
      ".": () => this.step(1),
      l: () => this.toggleLoop(),
      m: () => this.toggleSound(),
    };
    const act = acts[/** @type {keyof typeof acts} */ (event.key)];
    if (!act) return;
    event.preventDefault();
    act();
  }

  update() {
    const { clock } = this;
    const frame = clock.at + 1;
    const end = secondsOf(clock.nFrames + 1);
    const said = `frame ${frame} of ${clock.nFrames}, ${secondsOf(frame)} of ${end} s`;
    this.scrubber.value = String(frame);
    this.scrubber.setAttribute("aria-valuetext", said);
    if (this.position.textContent !== said) this.position.textContent = said;
    const playing = clock.playing ? "Pause" : "Play";
    if (this.play.textContent !== playing) {
      this.play.textContent = playing;
      this.play.title = `${playing} (space)`;
      this.play.setAttribute("aria-label", this.play.title);
    }
    const { audio } = clock;
    this.sound.disabled = !audio;
    const heard = audio ? (audio.muted ? "Sound off" : "Sound on") : "No sound";
    this.sound.textContent = heard;
    this.sound.setAttribute("aria-label", `${heard} (m)`);
    this.looping.disabled = !this.chosen;
    this.looping.setAttribute("aria-pressed", String(Boolean(clock.loop)));
    this.refused.textContent = clock.refused;
  }
}

/**
 * Whether what has the focus answers this key itself.
 *
 * @param {EventTarget | null} target
 * @param {string} key
 */
function hasItsOwn(target, key) {
  if (!(target instanceof Element)) return false;
  if (key === " ") return target.matches("select, button, summary, input[type=checkbox]");
  return target.matches(key.startsWith("Arrow") ? "select, .scroller" : "select");
}

function help() {
  const made = element("details", "keys");
  made.append(element("summary", "", "Keys"));
  const list = element("dl");
  for (const [keys, what] of KEYS) list.append(element("dt", "", keys), element("dd", "", what));
  made.append(list);
  return made;
}
