"""What moves on its own in the demonstration cluster, as controllers, scheduler and kubelet do in a real one."""
