"""Networks: densities, fusion blocks, messages, the quasi-diabatic head, model folders."""
