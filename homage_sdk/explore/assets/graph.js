/** The scene graph of the nearest annotated frame: persons in the middle, objects around them. */

import { drawn, element, spaced } from "./elements.js";
import { nearestGraph } from "./boxes.js";

/** @typedef {import("./types.js").PageGraph} PageGraph */
/** @typedef {import("./types.js").PageObject} PageObject */
/** @typedef {import("./clock.js").Clock} Clock */

const MOST_DRAWN = 20;

export class GraphPanel {
  /**
   * @param {HTMLElement} where
   * @param {Clock} clock
   * @param {PageGraph[]} graphs
   */
  constructor(where, clock, graphs) {
    this.clock = clock;
    this.graphs = graphs;
    this.title = element("p", "which");
    this.star = element("div", "star");
    this.star.setAttribute("aria-hidden", "true");
    this.triples = element("ul", "triples");
    this.triples.tabIndex = 0;
    this.triples.setAttribute("aria-label", "Relationships");
    /** @type {PageGraph | null} */
    this.drawn = null;
    if (!graphs.length) {
      where.append(element("p", "missing", "no frame of this sequence has a scene graph"));
      return;
    }
    where.append(this.title, this.star, this.triples);
    clock.listeners.add(() => this.update());
    this.update();
  }

  update() {
    const frame = this.clock.at + 1;
    const graph = nearestGraph(this.graphs, frame);
    if (!graph) return;
    const away = Math.abs(graph.frame - frame);
    const said = `frame ${graph.frame}, view ${graph.view}`;
    this.title.textContent = away ? `${said}: ${away} frames from here` : `${said}: now`;
    if (graph !== this.drawn) this.draw(graph);
  }

  /** @param {PageGraph} graph */
  draw(graph) {
    this.drawn = graph;
    const names = new Map(graph.objects.map((each) => [each.id, spaced(each.name)]));
    const lines = graph.relations.map(({ subject, object, names: predicates }) => {
      const words = predicates.map(spaced).join(", ");
      return element("li", "", `${names.get(subject) ?? "?"} ${words} ${names.get(object) ?? "?"}`);
    });
    if (!lines.length) lines.push(element("li", "missing", "no relationship"));
    this.triples.replaceChildren(...lines);
    this.drawStar(graph);
  }

  /** @param {PageGraph} graph */
  drawStar(graph) {
    const objects = graph.objects.slice(0, MOST_DRAWN);
    const subjects = new Set(graph.relations.map((each) => each.subject));
    const inner = objects.filter((each) => subjects.has(each.id));
    const outer = objects.filter((each) => !subjects.has(each.id));
    const places = new Map([...around(inner, inner.length > 1 ? 0.35 : 0), ...around(outer, 1)]);
    const lines = drawn("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none" });
    this.star.replaceChildren(lines);
    for (const { subject, object, names } of graph.relations) {
      const from = places.get(subject);
      const to = places.get(object);
      if (!from || !to) continue;
      lines.append(drawn("line", { x1: from[0], y1: from[1], x2: to[0], y2: to[1] }));
      const label = element("span", "relation", names.map(spaced).join(", "));
      label.style.left = `${(from[0] + to[0]) / 2}%`;
      label.style.top = `${(from[1] + to[1]) / 2}%`;
      this.star.append(label);
    }
    for (const each of objects) {
      const [x, y] = places.get(each.id) ?? [50, 50];
      const node = element("span", "node", spaced(each.name));
      node.title = spaced(each.name);
      node.style.left = `${x}%`;
      node.style.top = `${y}%`;
      node.style.background = each.colour;
      node.style.color = each.ink;
      this.star.append(node);
    }
    const more = graph.objects.length - objects.length;
    if (more > 0) this.star.append(element("span", "more", `and ${more} more objects`));
  }
}

/**
 * Places on an ellipse, in hundredths of the picture: names are wide, so that it is narrow.
 *
 * @param {PageObject[]} objects
 * @param {number} radius 1 for the whole picture
 * @returns {[number, [number, number]][]}
 */
function around(objects, radius) {
  return objects.map((each, k) => {
    const angle = (2 * Math.PI * k) / objects.length - Math.PI / 2;
    return [each.id, [50 + 31 * radius * Math.cos(angle), 50 + 41 * radius * Math.sin(angle)]];
  });
}
