"""The original's run, step by step, with everything that is odd about it.

Nothing outside this package depends on the oddities: the default path (backend/pipeline.py) has
none of them.
"""

from backend.reference.run import ReferenceFace, ReferenceResult, reference_restore

__all__ = ["ReferenceFace", "ReferenceResult", "reference_restore"]
