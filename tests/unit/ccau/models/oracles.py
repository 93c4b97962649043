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
