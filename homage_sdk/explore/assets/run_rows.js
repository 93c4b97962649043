/** What the modalities of a run say, beside the truth: activities in a row each, classes below. */

import { element, spaced } from "./elements.js";
import { Timeline } from "./timeline.js";

/** @typedef {import("./types.js").ViewDocument} ViewDocument */
/** @typedef {import("./types.js").RunTrack} RunTrack */
/** @typedef {import("./types.js").PageClass} PageClass */
/** @typedef {import("./lanes.js").Lanes} Lanes */

/**
 * Scores of atomic actions, below the lanes of their classes.
 *
 * @param {Timeline} timeline
 * @param {Lanes} lanes
 * @param {ViewDocument} page
 */
export function addScores(timeline, lanes, page) {
  const known = page.runs.filter((track) => track.scores.length);
  const labelled = new Set(page.actions.map((each) => each.class_id));
  for (const each of page.classes) {
    const said = known.map((track) => track.scores.find((score) => score.class_id === each.id));
    if (!said.some(Boolean)) continue;
    const row = lanes.rowOf(each);
    if (!labelled.has(each.id)) {
      row.head.append(element("small", "", "not labelled"));
      row.head.title = `${spaced(each.name)}, not labelled`;
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
 * The activity that each modality believes in, and what the lines below the classes are.
 *
 * @param {Timeline} timeline
 * @param {ViewDocument} page
 */
export function addActivities(timeline, page) {
  for (const track of page.runs) addActivity(timeline, track, page.sequence.activity);
  const known = page.runs.filter((track) => track.scores.length).map((track) => track.modality);
  if (!known.length) return;
  const { body } = timeline.row("scores", "legend");
  body.append(element("p", "", `lines below each class, from the top: ${known.join(", ")}`));
}

/**
 * Clips that follow one another and agree, as one.
 *
 * @param {RunTrack} track
 */
function agreeing(track) {
  /** @type {{ first: number, last: number, name: string, scores: number[] }[]} */
  const found = [];
  for (const { first, last, name, score } of track.activities) {
    const before = found.at(-1);
    if (before?.name === name) {
      before.last = last;
      before.scores.push(score);
    } else found.push({ first, last, name, scores: [score] });
  }
  return found;
}

/**
 * The activity that a modality believes in, clip by clip.
 *
 * @param {Timeline} timeline
 * @param {RunTrack} track
 * @param {string | null} truth
 */
function addActivity(timeline, track, truth) {
  const { body } = timeline.row(`${track.modality} says`, "says", `${track.run}, ${track.modality}`);
  if (track.missing) {
    body.append(element("p", "missing", track.missing));
    return;
  }
  for (const { first, last, name, scores } of agreeing(track)) {
    const mark = truth === null ? "" : name === truth ? "✓ " : "✗ ";
    const cell = element("div", mark === "✗ " ? "said wrong" : "said", mark);
    cell.append(element("span", "", spaced(name)));
    const said = scores.map((score) => score.toFixed(2)).join(", ");
    cell.title = `${mark}${spaced(name)}: ${said}; ${Timeline.words([first, last])}`;
    body.append(timeline.span(cell, [first, last]));
  }
}
