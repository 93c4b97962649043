"""The losses once more: float64, plain Python loops, nothing vectorised."""

from __future__ import annotations

import math

import numpy as np


def align_one_way(a, b, valid_a, valid_b, tau, same_video, blocks_of=None):
    """Sum over anchors of -log softmax of the positive, and the number of anchors."""
    n_clips, n_blocks, _ = a.shape
    total, anchors = 0.0, 0
    for c in range(n_clips):
        for i in range(n_blocks):
            if not (valid_a[c, i] and valid_b[c, i]):
                continue
            scores, positive = [], None
            for other in range(n_clips):
                for j in range(n_blocks):
                    if not valid_b[other, j] or (same_video and other != c):
                        continue
                    score = float(np.dot(a[c, i], b[other, j])) / tau
                    scores.append(score)
                    if (other, j) == (c, i):
                        positive = score
            top = max(scores)
            total += top + math.log(sum(math.exp(s - top) for s in scores)) - positive
            anchors += 1
    return total, anchors


def candidates_of(kind, c, i, valid):
    """Positions (clip, block) that anchor (c, i) may choose from."""
    n_clips, n_blocks = len(valid), len(valid[0])
    for other in range(n_clips):
        for j in range(n_blocks):
            if (kind == "video" and other != c) or (kind == "same_block" and j != i):
                continue
            if valid[other][j]:
                yield other, j


def centred(x, valid):
    """Less the mean over the valid clips at each block number."""
    x = x.copy()
    for j in range(x.shape[1]):
        rows = [c for c in range(len(x)) if valid[c][j]]
        if rows:
            x[:, j] -= sum(x[c, j] for c in rows) / len(rows)
    return x


def align_figures(a, b, valid_a, valid_b, *, tau, normalize, kind, centre):
    """Loss, accuracy, chance, placebo accuracy and negatives; None for the accuracies on a tie."""
    a, b = (np.asarray(x, np.float64) for x in (a, b))
    valid_a, valid_b = (np.asarray(v).tolist() for v in (valid_a, valid_b))
    if centre:
        a, b = centred(a, valid_a), centred(b, valid_b)
    if normalize:
        a, b = (x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12) for x in (a, b))
    n_clips, n_blocks, _ = a.shape
    sums = dict.fromkeys(("loss", "hits", "guessed", "negatives", "anchors", "found", "tries"), 0.0)
    tie = False
    for x, y, valid_x, valid_y in ((a, b, valid_a, valid_b), (b, a, valid_b, valid_a)):
        for c in range(n_clips):
            for i in range(n_blocks):
                if valid_x[c][i] and valid_y[c][i]:
                    among = list(candidates_of(kind, c, i, valid_y))
                    scores = {p: float(np.dot(x[c, i], y[p])) / tau for p in among}
                    best = max(scores.values())
                    tie |= sum(s > best - 1e-9 for s in scores.values()) > 1
                    total = sum(math.exp(s - best) for s in scores.values())
                    sums["loss"] += best + math.log(total) - scores[c, i]
                    sums["hits"] += scores[c, i] == best
                    sums["guessed"] += 1 / len(among)
                    sums["negatives"] += len(among) - 1
                    sums["anchors"] += 1
                partner = (c - 1) % n_clips  # the other view of the clip before
                if n_clips > 1 and valid_x[c][i] and valid_y[partner][i]:
                    among = list(candidates_of(kind, partner, i, valid_y))
                    scores = {p: float(np.dot(x[c, i], y[p])) for p in among}
                    best = max(scores.values())
                    tie |= sum(s > best - 1e-9 for s in scores.values()) > 1
                    sums["found"] += scores[partner, i] == best
                    sums["tries"] += 1
    n = sums["anchors"] or math.nan
    return {
        "loss": sums["loss"] / max(sums["anchors"], 1),
        "accuracy": None if tie else sums["hits"] / n,
        "chance": sums["guessed"] / n,
        "placebo": None if tie else sums["found"] / (sums["tries"] or math.nan),
        "negatives": sums["negatives"] / n,
    }


def align(a, b, valid_a, valid_b, *, tau=1.0, normalize=False, same_video=False):
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if normalize:
        a = a / np.linalg.norm(a, axis=-1, keepdims=True)
        b = b / np.linalg.norm(b, axis=-1, keepdims=True)
    ab, n = align_one_way(a, b, valid_a, valid_b, tau, same_video)
    ba, _ = align_one_way(b, a, valid_b, valid_a, tau, same_video)
    return (ab + ba) / 2 / n if n else 0.0


def cross_entropy(logits, labels, rows):
    losses = []
    for z, y, row in zip(np.asarray(logits, np.float64), labels, rows, strict=True):
        if row and y >= 0:
            top = max(z)
            losses.append(top + math.log(sum(math.exp(v - top) for v in z)) - z[y])
    return sum(losses) / len(losses) if losses else 0.0


def log_sigmoid(v):
    return -math.log1p(math.exp(-v)) if v > 0 else v - math.log1p(math.exp(v))


def atomic(logits, labels, rows, *, gamma=0.0, positive_weight=1.0):
    losses = []
    for z, y, row in zip(np.asarray(logits, np.float64), labels, rows, strict=True):
        if not row:
            continue
        terms = []
        for v, t in zip(z, y, strict=True):
            log_pt = log_sigmoid(v if t else -v)
            weight = positive_weight if t else 1.0
            terms.append(-weight * (1 - math.exp(log_pt)) ** gamma * log_pt)
        losses.append(sum(terms) / len(terms))
    return sum(losses) / len(losses) if losses else 0.0


def softmax(z):
    e = [math.exp(v - max(z)) for v in z]
    return [v / sum(e) for v in e]


def activity_kl(student, teachers, rows, temperature):
    per_row = []
    for r in range(len(student)):
        q = softmax(np.asarray(student[r], np.float64) / temperature)
        found = []
        for teacher, mask in zip(teachers, rows, strict=True):
            if mask[r]:
                p = softmax(np.asarray(teacher[r], np.float64) / temperature)
                found.append(sum(x * math.log(x / y) for x, y in zip(p, q, strict=True) if x > 0))
        if found:
            per_row.append(sum(found) / len(found))
    return sum(per_row) / len(per_row) if per_row else 0.0


def atomic_kl(student, teachers, rows, temperature):
    per_row = []
    for r in range(len(student)):
        found = []
        for teacher, mask in zip(teachers, rows, strict=True):
            if mask[r]:
                terms = []
                for s, t in zip(student[r], teacher[r], strict=True):
                    p = 1 / (1 + math.exp(-t / temperature))
                    q = 1 / (1 + math.exp(-s / temperature))
                    terms.append(p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q)))
                found.append(sum(terms) / len(terms))
        if found:
            per_row.append(sum(found) / len(found))
    return sum(per_row) / len(per_row) if per_row else 0.0
