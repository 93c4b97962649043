"""Reports made of problems: tables, JSON, CSV, JUnit, and baselines."""
