"""Ways to take a backdoor out of a trained image classifier, one a file. Each is written from its paper."""

from bezoar.repair.methods import (  # noqa: F401  importing registers
    adversarial_training,
    anp,
    clp,
    filter_retrain,
    fine_prune,
    fine_tune,
    ft_sam,
    i_bau,
    nad,
    tsbd,
    unlearn,
)
