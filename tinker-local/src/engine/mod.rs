//! The engine: explicit forward and backward of a small decoder on a CPU.
