//! ONNX files computed by a plain interpreter; names and modules for PyTorch.

mod interpreter;
mod onnx;
mod pytorch;
