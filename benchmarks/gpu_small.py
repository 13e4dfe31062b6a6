"""Run every kernel on small tensors, for compute-sanitizer, under which everything is slow."""

import torch

from fastgan import functional as FF


def main():
    for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
        for size in (1, 9, 4099, 40_001):
            x = torch.randn(size, device="cuda").to(dtype)
            for leaf in (x.clone(), torch.cat([x, x])[size:]):  # aligned for 16-byte access or not
                leaf.requires_grad_()
                y = FF.leaky_relu_dropout(leaf, 0.2, 0.3, gain=1.4, clamp=1.5)
                loss, _ = FF.discriminator_loss(y, leaf)
                loss = loss + FF.generator_loss(y) + FF.binary_cross_entropy_with_logits(y, 0.9)
                loss = loss + FF.binary_cross_entropy(leaf.sigmoid(), 0.9)
                loss.backward()
        images = torch.randn(3, 5, 7, 9, device="cuda").to(dtype).requires_grad_()
        bias = torch.randn(5, device="cuda", requires_grad=True)
        FF.leaky_relu_dropout(images, 0.2, 0.3, bias=bias, feature=True).sum().backward()
    torch.cuda.synchronize()


if __name__ == "__main__":
    main()
