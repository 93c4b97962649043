/** The boxes and relations of the nearest annotated frame, over the pictures of its view. */

import { drawn, element, spaced } from "./elements.js";

/** @typedef {import("./types.js").PageGraph} PageGraph */
/** @typedef {import("./types.js").PageObject} PageObject */
/** @typedef {import("./track.js").Track} Track */

const FADED_FRAMES = 30;

/**
 * The graph nearest to a frame (1-based); the earlier of two as near.
 *
 * @param {PageGraph[]} graphs in the order of their frames
 * @param {number} frame
 * @returns {PageGraph | null}
 */
export function nearestGraph(graphs, frame) {
  let best = null;
  for (const each of graphs) {
    if (!best || Math.abs(each.frame - frame) < Math.abs(best.frame - frame)) best = each;
  }
  return best;
}

export class Boxes {
  /**
   * @param {HTMLElement} picture
   * @param {Track} track whose picture decides: labels never stand on another one
   * @param {PageGraph[]} graphs of this view
   */
  constructor(picture, track, graphs) {
    this.track = track;
    this.graphs = graphs;
    this.layer = element("div", "boxes");
    this.layer.setAttribute("aria-hidden", "true");
    this.note = element("p", "note");
    picture.append(this.layer, this.note);
    /** @type {PageGraph | null} */
    this.drawn = null;
    this.shown = -2;
  }

  update() {
    if (this.track.shown === this.shown || this.track.shown < 0) return;
    this.shown = this.track.shown;
    const frame = this.shown + 1;
    const graph = nearestGraph(this.graphs, frame);
    if (!graph) return;
    if (graph !== this.drawn) this.draw(graph);
    const away = Math.abs(graph.frame - frame);
    this.layer.style.opacity = String(Math.max(0, 1 - away / FADED_FRAMES));
    this.note.textContent =
      away === 0 ? `labels of frame ${graph.frame}` : `labels of frame ${graph.frame}, ${away} away`;
  }

  /** @param {PageGraph} graph */
  draw(graph) {
    this.drawn = graph;
    const lines = drawn("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none" });
    this.layer.replaceChildren(lines);
    const objects = new Map(graph.objects.map((each) => [each.id, each]));
    const labels = element("div", "labels");
    for (const object of graph.objects) this.addBox(object, labels);
    for (const { subject, object, names } of graph.relations) {
      const from = middle(objects.get(subject));
      const to = middle(objects.get(object));
      if (!from || !to) continue;
      const ends = { x1: from[0], y1: from[1], x2: to[0], y2: to[1] };
      lines.append(drawn("line", { ...ends, class: "under" }), drawn("line", ends));
      const label = element("span", "relation", names.map(spaced).join(", "));
      label.style.left = `${(from[0] + 2 * to[0]) / 3}%`;
      label.style.top = `${(from[1] + 2 * to[1]) / 3}%`;
      labels.append(label);
    }
    this.layer.append(labels);
    keepApart(labels);
  }

  /**
   * @param {PageObject} object
   * @param {HTMLElement} labels
   */
  addBox(object, labels) {
    if (!object.box) return;
    const [left, top, width, height] = object.box.map((share) => 100 * share);
    const box = element("div", "box");
    box.dataset.object = String(object.id);
    Object.assign(box.style, {
      left: `${left}%`,
      top: `${top}%`,
      width: `${width}%`,
      height: `${height}%`,
      borderColor: object.colour,
    });
    const label = element("span", "object", spaced(object.name));
    label.style.left = `${left}%`;
    label.style.top = `${top}%`;
    label.style.background = object.colour;
    label.style.color = object.ink;
    this.layer.append(box);
    labels.append(label);
  }
}

/** @param {PageObject | undefined} object @returns {[number, number] | null} */
function middle(object) {
  if (!object?.box) return null;
  const [left, top, width, height] = object.box;
  return [100 * (left + width / 2), 100 * (top + height / 2)];
}

/**
 * Move labels down until none covers another, and into the picture.
 *
 * @param {HTMLElement} labels
 */
function keepApart(labels) {
  const room = labels.getBoundingClientRect();
  if (!room.width) return;
  /** @type {{ x: number, y: number, w: number, h: number }[]} */
  const placed = [];
  for (const label of /** @type {HTMLElement[]} */ ([...labels.children])) {
    const box = label.getBoundingClientRect();
    const w = box.width;
    const h = box.height;
    const x = Math.max(0, Math.min(box.left - room.left, room.width - w));
    let y = Math.max(0, Math.min(box.top - room.top, room.height - h));
    const hit = () => placed.some((p) => x < p.x + p.w && p.x < x + w && y < p.y + p.h && p.y < y + h);
    const from = y;
    while (hit() && y + h < room.height) y += 3;
    for (; hit() && y > 0; ) y -= 3;
    if (hit()) y = from;
    placed.push({ x, y, w, h });
    label.style.left = `${(100 * x) / room.width}%`;
    label.style.top = `${(100 * y) / room.height}%`;
    label.classList.add("placed");
  }
}
