/** Making elements. Text is only ever set as text: what labels hold is never markup. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {string} [name] its classes
 * @param {string} [text]
 * @returns {HTMLElementTagNameMap[K]}
 */
export function element(tag, name = "", text = "") {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text) made.textContent = text;
  return made;
}

/**
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | number>} attributes
 * @returns {SVGElementTagNameMap[K]}
 */
export function drawn(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  return made;
}

/**
 * A button that says what it does.
 *
 * @param {string} name its classes
 * @param {string} text what is seen
 * @param {string} label what is read aloud and shown on hover
 * @param {() => void} act
 */
export function button(name, text, label, act) {
  const made = element("button", name, text);
  made.type = "button";
  made.title = label;
  made.setAttribute("aria-label", label);
  made.addEventListener("click", (event) => {
    if (event.detail > 0) made.blur(); // after a pointer the space key is the page's again
    act();
  });
  return made;
}

/**
 * The element of the page with this id; the template has it.
 *
 * @param {string} id
 */
export function place(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element ${id}`);
  return found;
}

/**
 * A name as people read it.
 *
 * @param {string} name
 */
export function spaced(name) {
  return name.replaceAll("_", " ");
}

/**
 * @param {number} frame 1-based
 */
export function secondsOf(frame) {
  return ((frame - 1) / 30).toFixed(2);
}
