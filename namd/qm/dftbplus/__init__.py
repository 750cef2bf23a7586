"""The engine DFTB+: SSR(2,2) on LC-DFTB2; its input, its output, and the choice among solutions."""
