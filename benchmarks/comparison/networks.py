"""The networks that are compared, each from a training configuration that the project ships.

Sizes, decay of weights, moving average and clipping are those of the configuration; the learning
rate comes from short trials with one network of each family (``python benchmarks/accuracy.py
rates``), because the budget is shorter than the configurations' own.

*Fusion switched off.* In our network every product of features is a fusion block: the comb
(A₁ ⊗ A₂) ⊗ A₃ of densities and, after the message M = Σ_j Y_ij ⊗ h_j, ((M₁ ⊗ h) ⊗ A₁) ⊗ M₂. With
``correlation: 1`` and ``message_correlation: 1`` both keep their first leg alone: densities are
mixed and passed on, messages are read, and nothing is multiplied but harmonics in the convolution.
What correlates neighbours is then the convolution of densities (the neighbours of neighbours) and
the perceptron of the readout. Two controls: ``ours-off`` has the same width, half of the
parameters and 0.8 of the operations; ``ours-off-wide`` has so many channels that the parameters
are equal, at 1.7 times the operations.

*Without products of MACE's own.* MACE multiplies the features of neighbours in its symmetric
contraction, whether there is fusion or not. With ``correlation: 1`` it does not, and what a fusion
block adds to it is the only product there is.

*Signs and bounds.* Everywhere else the off-diagonal element of W has learned labels of the atoms,
and that it changes its sign when the halves of stilbene change places must be learned; here it
does. Everywhere else it is bounded by tanh, which has no slope at the bound; here by arctan, too.

*Heads and targets.* The same network of ours five times: a 2 × 2 quasi-diabatic matrix learned from
the states (their energies, forces and h, in any gauge), the same with signs of sites, or from the
method's own diabatic matrix and its gradient; a 3 × 3 matrix; and a direct head without any.
"""

from dataclasses import dataclass

_ARCTAN = ("network.offdiagonal_bound=arctan",)
_SIGNS = ("network.site_labels=signs",)
_OFF = ("network.correlation=1", "network.message_correlation=1")


@dataclass(frozen=True, kw_only=True)
class Competitor:
    """A network of the comparison.

    Parameters
    ----------
    title
        Its name in the table.
    config
        Training configuration in the zoo whose ``network`` and ``optimiser`` it has.
    changes
        ``key=value`` overrides of it.
    learning_rate
        Peak learning rate; the trials are in ``results/accuracy-rates.json``.
    cost
        Seconds of one core per 1000 presentations, about (one derivative of stilbene; all six of
        CH2NH2+ take as long): for the order of the queue and the guess of the time left only.
    """

    title: str
    config: str
    changes: tuple[str, ...] = ()
    learning_rate: float
    cost: float


NETWORKS: dict[str, Competitor] = {
    "mace-64": Competitor(title="MACE, 64 channels", config="mace-64", learning_rate=0.01, cost=38),
    "mace-16": Competitor(
        title="MACE, 16 channels",
        config="mace-64",
        changes=("network.channels=16",),
        learning_rate=0.01,
        cost=16,
    ),
    "mofd-sparse-16": Competitor(
        title="MoFD sparse, 16 channels", config="mofd-sparse-16", learning_rate=0.01, cost=26
    ),
    "mofd-dense-16": Competitor(
        title="MoFD dense, 16 channels",
        config="mofd-sparse-16",
        changes=("network.fusion=dense",),
        learning_rate=0.01,
        cost=50,
    ),
    "mace-16-alone": Competitor(
        title="MACE, 16 channels, correlation 1",
        config="mace-64",
        changes=("network.channels=16", "network.correlation=1"),
        learning_rate=0.01,
        cost=13,
    ),
    "mofd-sparse-16-alone": Competitor(
        title="MoFD sparse, 16 channels, correlation 1",
        config="mofd-sparse-16",
        changes=("network.correlation=1",),
        learning_rate=0.01,
        cost=24,
    ),
    "ours-signs": Competitor(
        title="ours, signs of sites",
        config="models/stilbene-ssr-3500/train.yaml",
        changes=_SIGNS,
        learning_rate=0.005,
        cost=6,
    ),
    "mace-16-signs": Competitor(
        title="MACE, 16 channels, signs of sites",
        config="mace-64",
        changes=("network.channels=16", *_SIGNS),
        learning_rate=0.01,
        cost=16,
    ),
    "ours-arctan": Competitor(
        title="ours, bound arctan",
        config="models/stilbene-ssr-3500/train.yaml",
        changes=_ARCTAN,
        learning_rate=0.005,
        cost=6,
    ),
    "ours-arctan-signs": Competitor(
        title="ours, bound arctan, signs of sites",
        config="models/stilbene-ssr-3500/train.yaml",
        changes=(*_ARCTAN, *_SIGNS),
        learning_rate=0.005,
        cost=6,
    ),
    "cormorant": Competitor(title="Cormorant", config="cormorant", learning_rate=0.005, cost=31),
    "cofd": Competitor(title="CoFD", config="cofd", learning_rate=0.005, cost=54),
    "ours": Competitor(
        title="ours", config="models/stilbene-ssr-3500/train.yaml", learning_rate=0.005, cost=6
    ),
    "ours-off": Competitor(
        title="ours, fusion off",
        config="models/stilbene-ssr-3500/train.yaml",
        changes=_OFF,
        learning_rate=0.005,
        cost=4,
    ),
    "ours-off-wide": Competitor(
        title="ours, fusion off, 70 channels",
        config="models/stilbene-ssr-3500/train.yaml",
        changes=(*_OFF, "network.channels=70"),
        learning_rate=0.005,
        cost=7,
    ),
    "states": Competitor(
        title="energies, forces, h of the states",
        config="models/stilbene-ssr-3500/train.yaml",
        learning_rate=0.005,
        cost=13,
    ),
    "states-signs": Competitor(
        title="of the states, signs of sites",
        config="models/stilbene-ssr-3500/train.yaml",
        changes=_SIGNS,
        learning_rate=0.005,
        cost=13,
    ),
    "diabats": Competitor(
        title="the method's W and its gradient",
        config="models/stilbene-ssr-3500/train.yaml",
        changes=("loss.target=diabatic",),
        learning_rate=0.005,
        cost=13,
    ),
    "three-diabats": Competitor(
        title="of the states, three diabats",
        config="models/stilbene-ssr-3500/train.yaml",
        changes=("diabats=3",),
        learning_rate=0.005,
        cost=13,
    ),
    "direct": Competitor(
        title="of the states, direct head",
        config="models/stilbene-ssr-3500/train.yaml",
        changes=("head.kind=direct",),
        learning_rate=0.005,
        cost=13,
    ),
}

HEADS = ("states", "states-signs", "diabats", "three-diabats", "direct")
SIGNS = ("ours-signs", "mace-16-signs", "ours-arctan", "ours-arctan-signs")
ALONE = ("mace-16-alone", "mofd-sparse-16-alone")
ARCHITECTURES = tuple(name for name in NETWORKS if name not in HEADS + ALONE + SIGNS)
