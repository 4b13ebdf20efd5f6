"""Measurements of why it works: functions of networks, latents and images, without Lightning and store."""
