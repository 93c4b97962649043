/** What the page carries: its document, and its media as Blobs. */

import { place } from "./elements.js";

/** @typedef {import("./types.js").ViewDocument} ViewDocument */

/** @returns {ViewDocument} */
export function readDocument() {
  return JSON.parse(place("document").textContent ?? "");
}

/**
 * The address of a medium that the page carries as Base64. Its text is let go.
 *
 * @param {string} id
 */
export function mediaUrl(id) {
  const holder = place(id);
  const text = atob(holder.textContent ?? "");
  const bytes = new Uint8Array(text.length);
  for (let k = 0; k < text.length; k++) bytes[k] = text.charCodeAt(k);
  holder.remove();
  return URL.createObjectURL(new Blob([bytes], { type: holder.dataset.media }));
}
