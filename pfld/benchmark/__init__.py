"""Speed, memory and numerical deviation on this machine: what ``pfld benchmark`` measures."""
