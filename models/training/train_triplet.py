"""Train the whole triplet-domain method: `python -m models.training.train_triplet`.

Both VAEs, then the mapping between them, into WORK; each step goes on from its checkpoint. The
folder is then a set of weights: `restore PHOTO --weights WORK`.

Source: Wan et al., CVPR 2020, section 3.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from models.training import train_mapping, train_vae
from models.training.settings import DATA, WORK, Config, Settings


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--size", choices=("bundled", "original"), default="bundled")
    parser.add_argument("--vae-steps", type=int, help="instead of the size's own number")
    parser.add_argument("--mapping-steps", type=int, help="the same for the mapping")
    parser.add_argument("--batch-size", type=int, help="the same for all three")
    chosen = parser.parse_args()
    is_original = chosen.size == "original"
    vae = train_vae.ORIGINAL if is_original else train_vae.VaeConfig()
    mapping = train_mapping.ORIGINAL if is_original else train_mapping.MappingConfig()
    for domain, name in train_vae.FILES.items():
        config = replace(
            vae,
            domain=domain,
            steps=chosen.vae_steps or vae.steps,
            batch_size=chosen.batch_size or vae.batch_size,
        )
        train_vae.train(_settings(chosen, name, config))
    config_of_mapping = replace(
        mapping,
        steps=chosen.mapping_steps or mapping.steps,
        batch_size=chosen.batch_size or mapping.batch_size,
    )
    train_mapping.train(_settings(chosen, "mapping", config_of_mapping))


def _settings(chosen: argparse.Namespace, name: str, config: Config) -> Settings[Config]:
    return Settings(
        data=chosen.data,
        work=chosen.work,
        start=None,
        checkpoint=chosen.work / f"{name}.checkpoint",
        output=chosen.work / f"{name}.safetensors",
        config=config,
    )


if __name__ == "__main__":
    main()
