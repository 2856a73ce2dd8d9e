"""Studies: sets x methods x seeds x budgets, paired, with one table and one page."""
