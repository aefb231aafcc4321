//! Weights of the operator and rising ones.
