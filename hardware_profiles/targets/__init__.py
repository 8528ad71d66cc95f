"""The targets that come with the package: one TOML file each, read by `hardware_profiles.target`."""
