"""Lesions cut out, moved, drawn and blended, and the centres that keep them: the parts of ``dfgm`` and ``blending``."""
