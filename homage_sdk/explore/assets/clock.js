/**
 * The one clock of a page. All videos are muted; the sound has an element of its own.
 *
 * Views are kept together by the time of the picture on the screen, not by `currentTime`, which
 * hides two to four frames. The first view leads; without one the sound does; without it a timer.
 */

import { FPS } from "./track.js";

/** @typedef {import("./track.js").Track} Track */

const IGNORED_S = 0.006;
const TOO_FAR_S = 0.1;
const MOST_RATE = 0.1;
const SOUND_FAR_S = 0.15;
const SOUND_IGNORED_S = 0.03;
const SETTLE_MS = 400;

/** @param {number} value @param {number} most */
function within(value, most) {
  return Math.min(most, Math.max(-most, value));
}

export class Clock {
  /**
   * @param {Track[]} tracks
   * @param {HTMLAudioElement | null} audio
   * @param {number} nFrames
   */
  constructor(tracks, audio, nFrames) {
    this.tracks = tracks;
    this.audio = audio;
    this.nFrames = nFrames;
    /** The frame that the page is at, 0-based. */
    this.at = 0;
    this.playing = false;
    this.starting = false;
    this.rate = 1;
    /** First and last frame, 0-based, that are played again and again. @type {[number, number] | null} */
    this.loop = null;
    /** Why something does not play, in words. */
    this.refused = "";
    /** How often all views were sought again because they were too far apart. */
    this.restarts = 0;
    this.turn = 0;
    this.startedAt = 0;
    this.timerFrom = { now: 0, frame: 0 };
    /** @type {Set<() => void>} */
    this.listeners = new Set();
    if (audio) audio.preservesPitch = true;
  }

  changed() {
    for (const tell of this.listeners) tell();
  }

  /** Start, from the beginning where all is over. */
  async play() {
    if (this.playing) return;
    this.playing = true;
    const begin = this.loop ? this.loop[0] : 0;
    const end = this.loop ? this.loop[1] : this.nFrames - 1;
    await this.startTogether(this.at >= end || this.at < begin ? begin : this.at);
  }

  /** Stop; every view then shows one and the same frame. */
  async pause() {
    const seeking = this.starting; // then the pictures are not yet those of `at`
    this.playing = false;
    this.starting = false;
    this.turn += 1;
    this.hold();
    if (this.tracks.length && !seeking) this.at = Math.max(0, this.tracks[0].shown);
    this.changed();
    await this.show(this.at);
  }

  toggle() {
    return this.playing ? this.pause() : this.play();
  }

  /**
   * Go to a frame, 0-based; it goes on playing from there where it plays.
   *
   * @param {number} frame
   */
  async seek(frame) {
    this.at = Math.min(this.nFrames - 1, Math.max(0, Math.round(frame)));
    this.changed();
    if (this.playing) await this.startTogether(this.at);
    else await this.show(this.at);
  }

  /** @param {number} rate 1 as filmed */
  setRate(rate) {
    this.rate = rate;
    this.timerFrom = { now: performance.now(), frame: this.at };
    for (const track of this.tracks) track.video.playbackRate = rate;
    if (this.audio) this.audio.playbackRate = rate;
    this.changed();
  }

  hold() {
    for (const track of this.tracks) track.video.pause();
    this.audio?.pause();
  }

  /** @param {number} frame */
  async show(frame) {
    if (this.audio) this.audio.currentTime = frame / FPS;
    await Promise.all(this.tracks.map((track) => track.seek(frame)));
  }

  /**
   * Hold all views, show the frame on each, and start them in one turn.
   *
   * @param {number} frame
   */
  async startTogether(frame) {
    const turn = ++this.turn;
    this.starting = true;
    this.hold();
    this.at = frame;
    await this.show(frame);
    if (turn !== this.turn) return; // another seek or a pause came in between
    this.setRate(this.rate);
    for (const track of this.tracks) track.ahead = 0;
    const videos = this.tracks.map((track) => track.video.play());
    const [sound, ...pictures] = await Promise.allSettled([this.audio?.play(), ...videos]);
    if (turn !== this.turn) return;
    this.refused = sound.status === "rejected" ? `no sound: ${sound.reason}` : "";
    const refused = pictures.find((each) => each.status === "rejected");
    if (refused) this.stopped(`the browser does not play: ${refused.reason}`);
    this.starting = false;
    this.startedAt = performance.now();
    this.timerFrom = { now: this.startedAt, frame };
    this.changed();
  }

  /**
   * Go on without a view whose video cannot be played.
   *
   * @param {Track} track
   */
  drop(track) {
    this.tracks = this.tracks.filter((each) => each !== track);
    if (this.playing) void this.startTogether(this.at);
    this.changed();
  }

  /** @param {string} why */
  stopped(why) {
    this.refused = why;
    this.playing = false;
    this.turn += 1;
    this.hold();
    this.changed();
  }

  /**
   * Once a refresh of the screen: where are we, are the views together, is the end reached?
   *
   * @param {number} now
   */
  tick(now) {
    if (!this.playing || this.starting) return;
    const before = this.at;
    this.at = Math.min(this.nFrames - 1, Math.max(0, this.frameNow(now)));
    if (this.correct(now)) return;
    const end = this.loop ? this.loop[1] : this.nFrames - 1;
    if (this.at >= end || this.ended()) {
      if (this.loop) void this.startTogether(this.loop[0]);
      else void this.pause();
    }
    if (this.at !== before) this.changed();
  }

  /** @param {number} now */
  frameNow(now) {
    if (this.tracks.length) return this.tracks[0].shown;
    if (this.audio) return Math.floor(this.audio.currentTime * FPS + 0.01);
    return this.timerFrom.frame + Math.floor(((now - this.timerFrom.now) / 1000) * FPS * this.rate);
  }

  ended() {
    return this.tracks.length ? this.tracks[0].video.ended : Boolean(this.audio?.ended);
  }

  /**
   * Bring views that are ahead or late back to the leader; true where all had to start again.
   *
   * @param {number} now
   */
  correct(now) {
    if (!this.tracks.length) return false;
    const leader = this.tracks[0].pictureTime(now);
    const settled = now - this.startedAt > SETTLE_MS;
    for (const track of this.tracks.slice(1)) {
      track.ahead = 0.8 * track.ahead + 0.2 * (track.pictureTime(now) - leader);
      if (Math.abs(track.ahead) > TOO_FAR_S && settled) {
        this.restarts += 1;
        void this.startTogether(this.at);
        return true;
      }
      const off = Math.abs(track.ahead) < IGNORED_S ? 0 : within(1.5 * track.ahead, MOST_RATE);
      const rate = this.rate * (1 - off);
      if (Math.abs(track.video.playbackRate - rate) > 0.002) track.video.playbackRate = rate;
    }
    this.correctSound(leader);
    return false;
  }

  /** @param {number} leader */
  correctSound(leader) {
    const { audio } = this;
    if (!audio || audio.paused || audio.ended) return;
    const ahead = audio.currentTime - leader;
    if (Math.abs(ahead) > SOUND_FAR_S) audio.currentTime = leader;
    const off = Math.abs(ahead) < SOUND_IGNORED_S ? 0 : within(ahead, 0.03);
    const rate = this.rate * (1 - off);
    if (Math.abs(audio.playbackRate - rate) > 0.005) audio.playbackRate = rate;
  }
}
