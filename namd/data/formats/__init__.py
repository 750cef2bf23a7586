"""File formats of labelled data, one module each; ``registry`` knows them all."""
