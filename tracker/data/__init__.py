"""Audio files to clips: folders and manifests, their faults, splits, and the synthetic demo set."""
