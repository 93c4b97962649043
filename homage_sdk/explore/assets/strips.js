/** Rows that are no actions: stretches without pictures, problems, sound, sensors. */

import { button, drawn, element, spaced } from "./elements.js";
import { FPS } from "./track.js";
import { Timeline } from "./timeline.js";

/** @typedef {import("./types.js").ViewDocument} ViewDocument */
/** @typedef {import("./types.js").SensorStrip} SensorStrip */
/** @typedef {import("./types.js").Stretch} Stretch */

/**
 * A row for each view of which stretches were not recorded, or do not decode.
 *
 * @param {Timeline} timeline
 * @param {ViewDocument} page
 */
export function addGaps(timeline, page) {
  const { sound } = page;
  for (const view of page.views) {
    if (view.gaps.length + view.damaged.length === 0) continue;
    const { body } = timeline.row(`${view.name} pictures`, "gaps");
    addHatched(timeline, body, view.gaps, "gap", "not recorded");
    addHatched(timeline, body, view.damaged, "damaged", "damaged");
  }
  if (sound.gaps.length === 0) return;
  const { body } = timeline.row("sound", "gaps");
  addHatched(timeline, body, sound.gaps, "gap", "not recorded");
}

/**
 * @param {Timeline} timeline
 * @param {HTMLElement} body
 * @param {Stretch[]} stretches
 * @param {string} name
 * @param {string} what
 */
function addHatched(timeline, body, stretches, name, what) {
  for (const frames of stretches) {
    const made = element("div", `hatched ${name}`);
    made.title = `${what}: ${Timeline.words(frames)}`;
    body.append(timeline.span(made, frames));
  }
}

/** Marks that share frames lie below one another, in as few levels as possible. */
class Levels {
  /** @param {HTMLElement} body */
  constructor(body) {
    this.body = body;
    /** @type {{ level: HTMLElement, taken: Stretch[] }[]} */
    this.levels = [];
  }

  /** @param {Stretch} frames */
  of(frames) {
    const [first, last] = frames;
    let free = this.levels.find(({ taken }) => taken.every(([a, b]) => b < first || last < a));
    if (!free) {
      free = { level: element("div", "level"), taken: [] };
      this.levels.push(free);
      this.body.append(free.level);
    }
    free.taken.push(frames);
    return free.level;
  }
}

/**
 * Problems at their moments, and all of them as a list.
 *
 * @param {Timeline} timeline
 * @param {HTMLElement} list
 * @param {ViewDocument} page
 */
export function addProblems(timeline, list, page) {
  const timed = page.problems.filter((each) => each.frames);
  const levels = timed.length ? new Levels(timeline.row("problems", "marks").body) : null;
  const items = element("ul", "problems");
  for (const each of page.problems) {
    const item = element("li", each.severity);
    const facts = [each.found && `found ${each.found}`, each.expected && `expected ${each.expected}`];
    const words = `${each.code} ${each.message}`;
    item.append(
      element("strong", "", `${each.severity} ${words}`),
      element("p", "", [each.place, ...facts].filter(Boolean).join("; ")),
    );
    if (each.hint) item.append(element("p", "hint", each.hint));
    const { frames } = each;
    if (frames && levels) {
      const go = () => void timeline.clock.seek(frames[0] - 1);
      const said = `${words}: ${Timeline.words(frames)}`;
      const mark = button(`mark ${each.severity}`, "", said, go);
      levels.of(frames).append(timeline.span(mark, frames));
      item.append(button("go", `go to frame ${frames[0]}`, `${said}: go there`, go));
    }
    items.append(item);
  }
  if (page.problems.length) list.append(items);
  else list.append(element("p", "missing", "no problem was found in this sequence"));
}

/**
 * The annotated frames, each a mark to jump to.
 *
 * @param {Timeline} timeline
 * @param {ViewDocument} page
 */
export function addAnnotatedFrames(timeline, page) {
  if (!page.graphs.length) return;
  const levels = new Levels(timeline.row("scene graphs", "marks").body);
  for (const { frame, view } of page.graphs) {
    if (frame > timeline.clock.nFrames) continue;
    const go = () => void timeline.clock.seek(frame - 1);
    const mark = button("mark graph", "", `scene graph of frame ${frame}, view ${view}`, go);
    levels.of([frame, frame]).append(timeline.span(mark, [frame, frame]));
  }
}

/**
 * The sound as a picture: time to the right, 0 to 8 kHz upwards.
 *
 * @param {Timeline} timeline
 * @param {ViewDocument} page
 */
export function addSpectrogram(timeline, page) {
  const { spectrogram, missing, view } = page.sound;
  const { body } = timeline.row(view === null ? "sound" : `sound of view ${view}`, "spectrogram");
  if (spectrogram === null) {
    body.append(element("p", "missing", missing));
    return;
  }
  const picture = element("img");
  picture.src = spectrogram;
  picture.alt = "spectrogram, 0 to 8 kHz";
  picture.draggable = false;
  body.append(picture);
}

/**
 * @param {Timeline} timeline
 * @param {ViewDocument} page
 */
export function addSensors(timeline, page) {
  for (const sensor of page.sensors) addSensor(timeline, sensor);
  if (!page.sensors.length) {
    timeline.row("sensors", "strip").body.append(element("p", "missing", "no sensors"));
  }
}

/**
 * @param {Timeline} timeline
 * @param {SensorStrip} sensor
 */
function addSensor(timeline, sensor) {
  const name = `${spaced(sensor.kind)}, ${spaced(sensor.position)}`;
  const { body, head } = timeline.row(name, "strip");
  if (sensor.missing) {
    body.append(element("p", "missing", sensor.missing));
    return;
  }
  const known = sensor.columns.filter((each) => each.low !== null && each.high !== null);
  const low = Math.min(...known.map((each) => each.low ?? 0));
  const high = Math.max(...known.map((each) => each.high ?? 0));
  const range = `${+low.toPrecision(5)} to ${+high.toPrecision(5)}`;
  const columns = known.map((each) => each.name).join(", ");
  head.append(element("small", "", range));
  head.title = `${name}: ${columns}, ${range}`;
  const seconds = timeline.clock.nFrames / FPS;
  const picture = drawn("svg", { viewBox: "0 0 1000 100", preserveAspectRatio: "none", role: "img" });
  picture.setAttribute("aria-label", `${name}: ${columns}, ${range}`);
  known.forEach((column, k) => {
    const points = column.points.map(([at, value]) => {
      const height = high > low ? (value - low) / (high - low) : 0.5;
      return `${((1000 * at) / seconds).toFixed(2)},${(96 - 92 * height).toFixed(1)}`;
    });
    picture.append(drawn("polyline", { points: points.join(" "), class: `column c${k % 4}` }));
  });
  body.append(picture);
}
