/**
 * The document of a page, as `schemas/models/view_document.schema.json` has it.
 *
 * @typedef {[number, number]} Stretch first and last frame, both included
 * @typedef {{ id: string, activity: string | null, split: string | null, participant: number,
 *   room: number, n_frames: number, fps: 30 }} SequenceCard
 * @typedef {{ number: number, name: string, id: string, kind: "ego" | "third",
 *   video: string | null, missing: string, width: number | null, height: number | null,
 *   gaps: Stretch[], damaged: Stretch[] }} PageView
 * @typedef {{ file: string | null, missing: string, view: number | null, gaps: Stretch[],
 *   spectrogram: string | null }} PageSound
 * @typedef {{ id: number, name: string, verb: string, colour: string, ink: string }} PageClass
 * @typedef {{ class_id: number, first: number, last: number }} PageAction
 * @typedef {{ id: number, name: string, colour: string, ink: string,
 *   box: [number, number, number, number] | null }} PageObject
 * @typedef {{ subject: number, object: number, names: string[] }} PageRelation
 * @typedef {{ frame: number, view: number, objects: PageObject[],
 *   relations: PageRelation[] }} PageGraph
 * @typedef {{ name: string, low: number | null, high: number | null,
 *   points: [number, number][] }} StripColumn
 * @typedef {{ kind: string, position: string, missing: string,
 *   columns: StripColumn[] }} SensorStrip
 * @typedef {{ code: string, severity: "error" | "warning" | "info", message: string,
 *   place: string, found: string, expected: string, hint: string,
 *   frames: Stretch | null }} PageProblem
 * @typedef {{ class_id: number, spans: [number, number, number][] }} RunScore
 * @typedef {{ first: number, last: number, name: string, score: number }} RunActivity
 * @typedef {{ run: string, modality: string, missing: string, scores: RunScore[],
 *   activities: RunActivity[] }} RunTrack
 * @typedef {{ version: 1, sequence: SequenceCard, views: PageView[], sound: PageSound,
 *   classes: PageClass[], actions: PageAction[], graphs: PageGraph[], sensors: SensorStrip[],
 *   problems: PageProblem[], runs: RunTrack[] }} ViewDocument
 */
export const VERSION = 1;
