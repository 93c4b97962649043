/** Atomic actions: one row a class, in the order of their beginnings, and the same as a list. */

import { button, element, spaced } from "./elements.js";
import { Timeline } from "./timeline.js";

/** @typedef {import("./types.js").ViewDocument} ViewDocument */
/** @typedef {import("./types.js").PageAction} PageAction */
/** @typedef {import("./types.js").PageClass} PageClass */

export class Lanes {
  /**
   * @param {Timeline} timeline
   * @param {HTMLElement} list
   * @param {ViewDocument} page
   * @param {(first: number, last: number) => void} choose
   */
  constructor(timeline, list, page, choose) {
    this.timeline = timeline;
    this.choose = choose;
    this.classes = new Map(page.classes.map((each) => [each.id, each]));
    this.nFrames = page.sequence.n_frames;
    /** @type {{ action: PageAction, parts: HTMLElement[], on: boolean }[]} */
    this.shown = [];
    /** @type {Map<number, ReturnType<Timeline["row"]>>} */
    this.rows = new Map();
    this.timeline.clock.listeners.add(() => this.update());
    if (!page.actions.length) list.append(element("p", "missing", "no atomic actions are labelled"));
    const items = element("ol", "actions");
    for (const action of page.actions) items.append(this.add(action));
    list.append(items);
    this.update();
  }

  /** @param {PageAction} action */
  add(action) {
    const each = /** @type {PageClass} */ (this.classes.get(action.class_id));
    const name = spaced(each.name);
    const words = `${name}: ${Timeline.words([action.first, action.last])}${this.past(action)}`;
    const act = () => this.choose(action.first, action.last);
    const item = element("li");
    const entry = button("entry", name, words, act);
    const key = element("span", "key");
    key.style.background = each.colour;
    entry.prepend(key);
    item.append(entry, element("span", "when", `${action.first}–${action.last}`));
    /** @type {HTMLElement[]} */
    const parts = [item];
    if (action.first <= this.nFrames) {
      const bar = button("bar", "", words, act);
      bar.style.background = each.colour;
      this.rowOf(each).body.append(this.timeline.span(bar, [action.first, action.last]));
      parts.push(bar);
    }
    this.shown.push({ action, parts, on: false });
    return item;
  }

  /** @param {PageAction} action */
  past(action) {
    return action.last > this.nFrames ? ", past the end of the sequence" : "";
  }

  /** @param {PageClass} each */
  rowOf(each) {
    let row = this.rows.get(each.id);
    if (!row) {
      row = this.timeline.row(spaced(each.name), "lane");
      this.rows.set(each.id, row);
    }
    return row;
  }

  update() {
    const frame = this.timeline.clock.at + 1;
    for (const each of this.shown) {
      const on = each.action.first <= frame && frame <= each.action.last;
      if (on === each.on) continue;
      each.on = on;
      for (const part of each.parts) part.classList.toggle("on", on);
    }
  }
}
