"""Why the prior works: measures of a network at a latent and an image, as functions that need no fit."""
