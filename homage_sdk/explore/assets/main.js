/** The page: what its document says, put together around one clock. */

import { Boxes } from "./boxes.js";
import { Clock } from "./clock.js";
import { Controls } from "./controls.js";
import { element, place, spaced } from "./elements.js";
import { GraphPanel } from "./graph.js";
import { Lanes } from "./lanes.js";
import { Measure } from "./measure.js";
import { mediaUrl, readDocument } from "./page_data.js";
import { addActivities, addScores } from "./run_rows.js";
import { addAnnotatedFrames, addGaps, addProblems, addSensors, addSpectrogram } from "./strips.js";
import { Timeline } from "./timeline.js";
import { Track } from "./track.js";

/** @typedef {import("./types.js").PageView} PageView */
/** @typedef {import("./types.js").PageGraph} PageGraph */
/** @typedef {import("./types.js").ViewDocument} ViewDocument */

/**
 * A view: its video, or its empty place with a word.
 *
 * @param {PageView} view
 * @param {boolean} labelled whether it has scene graphs
 */
function addView(view, labelled) {
  const figure = element("figure", labelled ? "view labelled" : "view");
  const picture = element("div", "picture");
  if (view.width && view.height) picture.style.aspectRatio = `${view.width} / ${view.height}`;
  const name = `${view.name} ${view.kind === "ego" ? "ego" : "third person"}`;
  figure.append(picture, element("figcaption", "", name));
  place("views").append(figure);
  if (view.video === null) {
    const word = element("p", "missing", view.missing);
    word.tabIndex = 0; // it may have to be scrolled
    picture.append(word);
    return { view, picture, track: null };
  }
  const video = element("video");
  video.muted = true;
  video.playsInline = true;
  video.preload = "auto";
  video.disablePictureInPicture = true;
  video.tabIndex = -1;
  video.setAttribute("aria-label", `view ${name}`);
  video.addEventListener("error", () => {
    picture.append(element("p", "missing", "this browser cannot play the video (H.264)"));
  });
  const repeated = element("p", "repeated");
  picture.append(video, repeated);
  const track = new Track(video);
  video.src = mediaUrl(view.video);
  return { view, picture, track, repeated };
}

/** @param {ViewDocument} page */
function addSound(page) {
  if (page.sound.file === null) return null;
  const audio = new Audio(mediaUrl(page.sound.file));
  audio.preload = "auto";
  return audio;
}

/** @param {ViewDocument} page */
function addHead(page) {
  const { sequence } = page;
  const { activity, split } = sequence;
  place("title").textContent = activity ? spaced(activity) : "no activity is labelled";
  const facts = [
    sequence.id,
    split ? `split ${split}` : "in no split",
    `participant ${sequence.participant}`,
    `room ${sequence.room}`,
    `${page.views.length} views`,
    `${(sequence.n_frames / sequence.fps).toFixed(1)} s`,
  ];
  place("facts").textContent = facts.join(" · ");
}

/**
 * Whether a view repeats a picture at a frame, and why.
 *
 * @param {PageView} view
 * @param {number} frame 1-based
 */
function repeatedAt(view, frame) {
  /** @param {[number, number]} each */
  const holds = ([first, last]) => first <= frame && frame <= last;
  if (view.gaps.some(holds)) return "nothing recorded here";
  return view.damaged.some(holds) ? "damaged here" : "";
}

function start() {
  const page = readDocument();
  addHead(page);
  const labelled = new Set(page.graphs.map((each) => each.view));
  const views = page.views.map((view) => addView(view, labelled.has(view.number)));
  if (!views.length) place("views").append(element("p", "missing", "no view is known"));
  const tracks = views.flatMap((each) => (each.track ? [each.track] : []));
  const clock = new Clock(tracks, addSound(page), page.sequence.n_frames);
  for (const track of tracks) track.video.addEventListener("error", () => clock.drop(track));
  const controls = new Controls(place("controls"), clock);
  const timeline = new Timeline(place("timeline"), clock);
  addProblems(timeline, place("problems"), page);
  addGaps(timeline, page);
  addAnnotatedFrames(timeline, page);
  addActivities(timeline, page);
  const choose = controls.choose.bind(controls);
  const lanes = new Lanes(timeline, place("actions"), page, choose);
  addScores(timeline, lanes, page);
  addSpectrogram(timeline, page);
  addSensors(timeline, page);
  new GraphPanel(place("graph"), clock, page.graphs);
  const boxes = views.flatMap(({ view, picture, track }) => {
    const mine = page.graphs.filter((each) => each.view === view.number);
    return track && mine.length ? [new Boxes(picture, track, mine)] : [];
  });
  document.body.classList.remove("loading");
  for (const each of boxes) each.update();
  const measure = new Measure(clock);
  const measured = place("measured");

  /** @param {number} now */
  const refresh = (now) => {
    clock.tick(now);
    measure.sample();
    for (const each of boxes) each.update();
    for (const { view, track, repeated } of views) {
      if (!track || !repeated) continue;
      const why = repeatedAt(view, track.shown + 1);
      if (repeated.textContent !== why) repeated.textContent = why;
    }
    const words = measure.words();
    if (measured.textContent !== words) measured.textContent = words;
    requestAnimationFrame(refresh);
  };
  requestAnimationFrame(refresh);
  const wanted = /^#frame=(\d+)$/.exec(location.hash);
  void clock.seek(wanted ? Number(wanted[1]) - 1 : 0);
  Object.assign(window, { homageView: { page, clock, measure } });
}

start();
