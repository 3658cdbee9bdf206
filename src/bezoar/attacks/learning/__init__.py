"""What attacks learn: surrogates, features, gradients, perturbations, encoders and generators."""
