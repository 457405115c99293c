-- Ten rows and a million are compared in different ways.
analyze fresh_metrics
