"""Files written whole, record files, names that people type, and where results come from."""
