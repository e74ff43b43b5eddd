"""How large numbers may be that a phone takes from others."""

import numpy as np

LARGEST = np.float32(2.0**20)
