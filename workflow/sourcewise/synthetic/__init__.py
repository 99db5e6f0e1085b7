"""Problems made by rule, for pipelines that must run without downloads."""
