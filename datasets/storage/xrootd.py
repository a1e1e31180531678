"""root://: XRootD."""
