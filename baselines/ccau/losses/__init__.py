"""The losses of CCAU as pure functions of logits, contexts, labels and masks."""
