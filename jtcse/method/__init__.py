"""The paper's method: derivation, cross-attention, losses, twin, joint training, distillation."""
