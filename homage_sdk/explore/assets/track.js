/** One view's video: which picture of it is on the screen, and seeking to an exact one. */

export const FPS = 30;

const WAIT_MS = 400;
const GIVE_UP_MS = 4000;

/**
 * Frames here are 0-based: frame k lies at k / 30 seconds of the file.
 */
export class Track {
  /** @param {HTMLVideoElement} video */
  constructor(video) {
    this.video = video;
    /** The frame of the picture on the screen; -1 before the first. */
    this.shown = -1;
    /** How many pictures came to the screen so far. */
    this.pictures = 0;
    /** Seconds that the picture is ahead of the leader's, smoothed. */
    this.ahead = 0;
    this.mediaTime = 0;
    this.expected = 0;
    /** How many callbacks came: one for each picture, also for the same one again. */
    this.callbacks = 0;
    /** The frame that a seek has brought to the screen; -1 once it plays. */
    this.settled = -1;
    /** @type {number | null} */
    this.target = null;
    /** @type {Promise<void> | null} */
    this.seeking = null;
    /** @type {Set<() => void>} */
    this.waiting = new Set();
    video.addEventListener("play", () => {
      this.settled = -1;
    });
    this.watch();
  }

  watch() {
    if (!("requestVideoFrameCallback" in this.video)) {
      requestAnimationFrame((now) => this.took(this.video.currentTime, now));
      return;
    }
    this.video.requestVideoFrameCallback((_, picture) =>
      this.took(picture.mediaTime, picture.expectedDisplayTime),
    );
  }

  /**
   * @param {number} mediaTime seconds of the picture in the file
   * @param {number} expected when it is on the screen, on the page's clock
   */
  took(mediaTime, expected) {
    const frame = Math.floor(mediaTime * FPS + 0.01);
    if (frame !== this.shown) this.pictures += 1;
    this.callbacks += 1;
    this.mediaTime = mediaTime;
    this.expected = expected;
    this.shown = frame;
    for (const tell of [...this.waiting]) tell();
    this.watch();
  }

  /**
   * Seconds into the file of what is on the screen at a moment, between pictures too.
   *
   * @param {number} now
   */
  pictureTime(now) {
    const since = Math.min(0.1, Math.max(-0.05, (now - this.expected) / 1000));
    return this.mediaTime + since * this.video.playbackRate;
  }

  /**
   * Show a frame. One seek is under way at a time; of those asked for meanwhile the newest counts.
   *
   * @param {number} frame
   * @returns {Promise<void>} settled when the newest frame asked for is on the screen
   */
  seek(frame) {
    this.target = frame;
    this.seeking ??= this.seekNewest().finally(() => {
      this.seeking = null;
    });
    return this.seeking;
  }

  async seekNewest() {
    while (this.target !== null) {
      const frame = this.target;
      this.target = null;
      await this.seekOnce(frame);
    }
  }

  /** @param {number} frame */
  async seekOnce(frame) {
    const { video } = this;
    if (this.settled === frame && video.paused) return;
    this.settled = -1;
    const before = this.callbacks;
    const sought = new Promise((done) => {
      for (const name of ["seeked", "error"]) video.addEventListener(name, done, { once: true });
      setTimeout(done, GIVE_UP_MS);
    });
    video.currentTime = (frame + 0.5) / FPS; // the middle: its beginning may show the one before
    await sought;
    await this.picture(frame, before);
    if (video.paused) this.settled = frame;
  }

  /**
   * Wait for a frame to come to the screen, a little: a hidden page shows none. What was told
   * before the seek does not count: the picture after it may be there already, and untold.
   *
   * @param {number} frame
   * @param {number} before how many callbacks had come
   */
  picture(frame, before) {
    return /** @type {Promise<void>} */ (
      new Promise((done) => {
        const look = () => {
          if (this.shown !== frame || this.callbacks === before) return;
          end();
        };
        const end = () => {
          clearTimeout(timer);
          this.waiting.delete(look);
          done();
        };
        const timer = setTimeout(end, WAIT_MS);
        this.waiting.add(look);
        look();
      })
    );
  }
}
