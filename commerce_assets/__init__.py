"""Code location: vendors' product uploads and the ShopPulse shop analytics."""
