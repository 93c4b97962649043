/** What the modalities of a run say, beside the truth: a line a modality below each class. */

import { element, spaced } from "./elements.js";
import { Timeline } from "./timeline.js";

/** @typedef {import("./types.js").ViewDocument} ViewDocument */
/** @typedef {import("./types.js").RunTrack} RunTrack */
/** @typedef {import("./types.js").PageClass} PageClass */
/** @typedef {import("./lanes.js").Lanes} Lanes */

/**
 * @param {Timeline} timeline
 * @param {Lanes} lanes
 * @param {ViewDocument} page
 */
export function addRuns(timeline, lanes, page) {
  for (const track of page.runs) addActivities(timeline, track, page.sequence.activity);
  const known = page.runs.filter((track) => track.scores.length);
  const labelled = new Set(page.actions.map((each) => each.class_id));
  for (const each of page.classes) {
    const said = known.map((track) => track.scores.find((score) => score.class_id === each.id));
    if (!said.some(Boolean)) continue;
    const row = lanes.rowOf(each);
    if (!labelled.has(each.id)) {
      row.head.textContent = `${spaced(each.name)} (not labelled)`;
      row.head.title = row.head.textContent;
    }
    said.forEach((score, k) => {
      const line = element("div", "scores");
      for (const [first, last, value] of score?.spans ?? []) {
        const cell = element("div", "score");
        cell.style.background = each.colour;
        cell.style.opacity = String(value);
        const words = Timeline.words([first, last]);
        cell.title = `${known[k].modality}: ${value.toFixed(2)}, ${spaced(each.name)}, ${words}`;
        line.append(timeline.span(cell, [first, last]));
      }
      row.body.append(line);
    });
    row.row.classList.add("scored");
  }
}

/**
 * The activity that a modality believes in, clip by clip.
 *
 * @param {Timeline} timeline
 * @param {RunTrack} track
 * @param {string | null} truth
 */
function addActivities(timeline, track, truth) {
  const { body } = timeline.row(`${track.modality} says`, "says", `${track.run}, ${track.modality}`);
  if (track.missing) {
    body.append(element("p", "missing", track.missing));
    return;
  }
  for (const { first, last, name, score } of track.activities) {
    const mark = truth === null ? "" : name === truth ? "✓ " : "✗ ";
    const cell = element("div", mark === "✗ " ? "said wrong" : "said", mark + spaced(name));
    cell.title = `${mark}${spaced(name)}: ${score.toFixed(2)}, ${Timeline.words([first, last])}`;
    body.append(timeline.span(cell, [first, last]));
  }
}
