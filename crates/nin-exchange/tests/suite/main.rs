//! ONNX files computed by a plain interpreter; names, modules and golden logits of PyTorch.

mod golden;
mod interpreter;
mod onnx;
mod pytorch;
