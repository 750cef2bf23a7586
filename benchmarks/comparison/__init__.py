"""Accuracy of networks at equal data, split, budget and seeds: what ``accuracy.py`` is made of."""

import sys
from pathlib import Path

# What is measured is the checkout this lies in, whatever namd may be installed beside it.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
