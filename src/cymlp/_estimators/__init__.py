"""What users construct and fit: parameters, checks, labels, the fitted state."""
