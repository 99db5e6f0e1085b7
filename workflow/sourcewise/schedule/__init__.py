"""When jobs run on so many GPUs and cores, and how much of the GPUs' time is work: by simulation."""
