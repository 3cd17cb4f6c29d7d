"""The local stack: the product's own template on an emulated AWS beside a QuickBooks sandbox."""
