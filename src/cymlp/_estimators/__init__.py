"""The estimators: what users see."""
