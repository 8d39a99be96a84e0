"""How the page looks: theme, tables, charts, drawing."""
