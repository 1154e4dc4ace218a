"""Make mnist1d.npz: rows of MNIST-1D as the package mnist1d 0.0.2 (Apache License 2.0) generates them.

pip install mnist1d==0.0.2.post1 && python tests/reference/make_mnist1d.py
"""

import hashlib
from pathlib import Path

import numpy as np
from mnist1d.data import get_dataset_args, make_dataset

arrays = {}
for case, changes in {
    "usual": {},
    "shuffled": {"shuffle_seq": True},
    "other": {
        "num_samples": 200,
        "seed": 7,
        "padding": [0, 5],
        "final_seq_length": 17,
        "scale_coeff": 0.9,
        "max_translation": 3,
        "corr_noise_scale": 1.0,
        "iid_noise_scale": 0.5,
        "shear_scale": 2.0,
    },
}.items():
    args = get_dataset_args()
    args.__dict__.update(changes)
    made = make_dataset(args)
    x, y = np.concatenate([made["x"], made["x_test"]]), np.concatenate([made["y"], made["y_test"]])
    arrays |= {f"{case}_x": x[:20], f"{case}_y": y[:100]}
    arrays[f"{case}_sha256"] = np.array(hashlib.sha256(x.tobytes() + y.astype(np.int64).tobytes()).hexdigest())
np.savez_compressed(Path(__file__).with_name("mnist1d.npz"), **arrays)
