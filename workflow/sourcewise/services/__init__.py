"""Teachers as services: a model that many jobs ask is started where one of them wants it, and ended after."""
