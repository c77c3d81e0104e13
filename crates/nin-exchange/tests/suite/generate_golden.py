"""Writes tests/golden: a small nn.Sequential like the book's, saved by PyTorch, and its logits for fixed
images. Run with torch 2.15 and safetensors 0.8; `golden.rs` reads the files."""
import json
import pathlib

import torch
from safetensors.torch import save_file
from torch import nn

GOLDEN = pathlib.Path(__file__).parent.parent / "golden"


def nin_block(input_channels, output_channels, kernel_size, stride, padding):
    return nn.Sequential(
        nn.Conv2d(input_channels, output_channels, kernel_size, stride, padding), nn.ReLU(),
        nn.Conv2d(output_channels, output_channels, kernel_size=1), nn.ReLU(),
        nn.Conv2d(output_channels, output_channels, kernel_size=1), nn.ReLU())


torch.manual_seed(0)
net = nn.Sequential(
    nin_block(1, 6, kernel_size=5, stride=2, padding=0),
    nn.MaxPool2d(3, stride=2),
    nin_block(6, 8, kernel_size=3, stride=1, padding=1),
    nn.MaxPool2d(3, stride=2, ceil_mode=True),
    nn.Dropout(0.5),
    nin_block(8, 4, kernel_size=3, stride=1, padding=1),
    nn.AdaptiveAvgPool2d((1, 1)),
    nn.Flatten())
with torch.no_grad():
    for parameter in net.parameters():
        # With this few channels, positive biases prevent dead ReLUs.
        parameter.fill_(0.2) if parameter.dim() == 1 else nn.init.kaiming_uniform_(parameter, nonlinearity="relu")
net.eval()
# The test generates the same images: (index * 7919) % 256 / 255.
images = (torch.arange(2 * 28 * 30) * 7919 % 256).float().div(255).reshape(2, 1, 28, 30)
GOLDEN.mkdir(exist_ok=True)
save_file(net.state_dict(), GOLDEN / "sequential.safetensors")
with torch.inference_mode():
    logits = net(images)
assert (logits > 0.01).any(1).all() and logits.std() > 0.01, logits
(GOLDEN / "logits.json").write_text(json.dumps({"torch": torch.__version__, "logits": logits.tolist()}) + "\n")
print(logits)
