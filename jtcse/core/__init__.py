"""What every room needs: settings, runs, records, products kept under a hash, files, hub, device, errors."""
