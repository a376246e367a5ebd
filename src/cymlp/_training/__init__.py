"""From arrays to a trained network: epochs, stopping, records; knows no estimator."""
