"""What a training would need, before it starts: memory of each process, time, accelerator-hours."""
