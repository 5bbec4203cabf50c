"""The encoder into, and decoder out of, the latent in which pictures are restored."""

from __future__ import annotations

from torch import Tensor, nn

from models.layers import ResidualBlock


class RestorationVAE(nn.Module):
    """Carry pictures to a latent at a quarter of their size, and back.

    Two of these belong together: A knows old photos (its encoder is used), B knows clean ones (its
    decoder is used); a mapping goes from A's latent to B's. At inference nothing is sampled: the
    latent is the encoder's output.

    Args:
        width: channels of the first convolution; each halving doubles them up to latent_channels.
        latent_channels: L, channels of the latent; no layer has more.
        residual_blocks: number of them at the latent's size, in the encoder and in the decoder.

    Source:
        Z. Wan et al., "Bringing Old Photos Back to Life", CVPR 2020, section 3.1.
    """

    def __init__(
        self,
        *,
        width: int = 64,
        latent_channels: int = 64,
        residual_blocks: int = 4,
    ) -> None:
        super().__init__()
        full, half, latent = (min(width * factor, latent_channels) for factor in (1, 2, 4))
        if latent != latent_channels:
            raise ValueError(
                f"A width of {width} reaches {latent} channels at a quarter of the size, "
                f"but latent_channels is {latent_channels}."
            )
        blocks = [
            [ResidualBlock(latent) for _ in range(residual_blocks)] for _ in ("encoder", "decoder")
        ]
        self.encoder = nn.Sequential(  # (B, 3, H, W)
            nn.ReflectionPad2d(3),
            nn.Conv2d(3, full, 7),  # (B, full, H, W)
            nn.InstanceNorm2d(full),
            nn.ReLU(inplace=True),
            nn.Conv2d(full, half, 4, stride=2, padding=1),  # (B, half, H/2, W/2)
            nn.InstanceNorm2d(half),
            nn.ReLU(inplace=True),
            nn.Conv2d(half, latent, 4, stride=2, padding=1),  # (B, L, H/4, W/4)
            nn.InstanceNorm2d(latent),
            nn.ReLU(inplace=True),
            *blocks[0],
        )
        self.decoder = nn.Sequential(  # (B, L, H/4, W/4)
            *blocks[1],
            nn.ConvTranspose2d(latent, half, 4, stride=2, padding=1),  # (B, half, H/2, W/2)
            nn.InstanceNorm2d(half),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(half, full, 4, stride=2, padding=1),  # (B, full, H, W)
            nn.InstanceNorm2d(full),
            nn.ReLU(inplace=True),
            nn.ReflectionPad2d(3),
            nn.Conv2d(full, 3, 7),  # (B, 3, H, W)
            nn.Tanh(),
        )

    def encode(self, x: Tensor) -> Tensor:
        """Encode a picture.

        Args:
            x: (B, 3, H, W) RGB in [-1, 1]. Rows and columns behind the last multiple of 4 are lost.

        Returns:
            (B, L, H/4, W/4).
        """
        latent: Tensor = self.encoder(x)
        return latent

    def decode(self, z: Tensor) -> Tensor:
        """Decode (B, L, H/4, W/4) to a picture (B, 3, H, W) in [-1, 1]."""
        picture: Tensor = self.decoder(z)
        return picture

    def forward(self, x: Tensor) -> Tensor:
        """Encode and decode: (B, 3, H, W) -> (B, 3, H, W), both in [-1, 1]."""
        return self.decode(self.encode(x))
