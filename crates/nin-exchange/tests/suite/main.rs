//! ONNX files run in a naive interpreter; PyTorch's names, modules and golden logits.

mod golden;
mod interpreter;
mod onnx;
mod pytorch;
