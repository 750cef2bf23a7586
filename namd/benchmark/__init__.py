"""How fast networks, whole steps and trainings are on the machine at hand."""
