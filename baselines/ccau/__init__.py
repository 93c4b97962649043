"""CCAU (HOMAGE, CVPR 2021) and every baseline of its paper."""
