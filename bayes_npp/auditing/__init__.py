"""Re-analysis of what a paper printed, without its data."""
